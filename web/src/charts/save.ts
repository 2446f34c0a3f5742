// A chart as a file: as it is seen (SVG, PNG), or its values (CSV).
import type uPlot from "uplot";
import { colours, dashOf, DASHES, type Line } from "./chart";

const LINE = 18;

/** The chart as it is seen, with its title, the name of its axis, and its legend. */
export function svgOf(plot: uPlot, lines: Line[], title: string, xName: string): { text: string; width: number; height: number } {
  const look = colours();
  const { width } = plot;
  const top = 30;
  const legend = lines.map((line) => ({ line, width: 30 + line.label.length * 6.6 }));
  const rows: (typeof legend)[] = [[]];
  let used = 0;
  for (const one of lines.length > 1 ? legend : []) {
    if (used + one.width > width - 24 && used) {
      rows.push([]);
      used = 0;
    }
    rows[rows.length - 1]!.push(one);
    used += one.width;
  }
  const height = top + plot.height + LINE + rows.length * LINE + 6;
  const [left, above] = [plot.over.offsetLeft, top + plot.over.offsetTop];
  const [inner, tall] = [plot.over.clientWidth, plot.over.clientHeight];
  const parts = [
    `<rect width="${width}" height="${height}" fill="${look.surface}"/>`,
    `<text x="12" y="20" font-size="13" font-weight="600" fill="${look.strong}">${escaped(title)}</text>`,
    `<clipPath id="inside"><rect x="${left}" y="${above}" width="${inner}" height="${tall}"/></clipPath>`,
  ];
  for (const [text, at] of marksOf(plot, 0, "x")) {
    parts.push(`<path d="M${left + at} ${above}v${tall}" stroke="${look.grid}"/>`, `<text x="${left + at}" y="${above + tall + 16}" text-anchor="middle" fill="${look.text}">${escaped(text)}</text>`);
  }
  for (const [text, at] of marksOf(plot, 1, "y")) {
    parts.push(`<path d="M${left} ${above + at}h${inner}" stroke="${look.grid}"/>`, `<text x="${left - 6}" y="${above + at + 4}" text-anchor="end" fill="${look.text}">${escaped(text)}</text>`);
  }
  parts.push(`<text x="${left + inner / 2}" y="${above + tall + 32}" text-anchor="middle" fill="${look.text}">${escaped(xName)}</text>`, '<g clip-path="url(#inside)" fill="none" stroke-linejoin="round">');
  for (const line of lines) {
    const colour = look.lines[line.colour % look.lines.length]!;
    const dashes = DASHES[dashOf(line.colour, line.dash)]!.join(" ");
    const style = `stroke="${colour}"${dashes ? ` stroke-dasharray="${dashes}"` : ""}`;
    if (line.band) {
      const around = { x: [...line.x, ...line.x.toReversed()], y: [...line.band.high, ...line.band.low.toReversed()] };
      parts.push(`<path d="${pathOf(plot, around, left, above)}" fill="${colour}" fill-opacity="0.18" stroke="none"/>`);
    }
    parts.push(`<path d="${pathOf(plot, line, left, above)}" ${style} stroke-width="${line.smooth ? 1 : 1.6}"${line.smooth ? ' stroke-opacity="0.33"' : ""}/>`);
    if (line.smooth) parts.push(`<path d="${pathOf(plot, line.smooth, left, above)}" ${style} stroke-width="2"/>`);
  }
  parts.push("</g>");
  rows.forEach((row, at) => {
    let x = 12;
    for (const { line, width: wide } of row) {
      const y = height - (rows.length - at) * LINE + 4;
      parts.push(`<path d="M${x} ${y - 4}h14" stroke="${look.lines[line.colour % look.lines.length]!}" stroke-width="2" stroke-dasharray="${DASHES[dashOf(line.colour, line.dash)]!.join(" ") || "none"}"/>`, `<text x="${x + 19}" y="${y}" fill="${look.strong}">${escaped(line.label)}</text>`);
      x += wide;
    }
  });
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">${parts.join("")}</svg>`;
  return { text, width, height };
}

function marksOf(plot: uPlot, axis: number, scale: string): [string, number][] {
  const drawn = plot.axes[axis] as unknown as { _splits?: number[]; _values?: (string | null)[] };
  return (drawn._splits ?? []).flatMap((split, at) => {
    const text = drawn._values?.[at];
    return text ? [[text, plot.valToPos(split, scale)] as [string, number]] : [];
  });
}

function pathOf(plot: uPlot, points: { x: number[]; y: number[] }, left: number, above: number): string {
  const log = plot.scales.y?.distr === 3;
  const places = points.x.flatMap((x, at) => {
    const y = points.y[at]!;
    return log && y <= 0 ? [] : [`${(left + plot.valToPos(x, "x")).toFixed(1)} ${(above + plot.valToPos(y, "y")).toFixed(1)}`];
  });
  return places.length ? `M${places.join("L")}` : "";
}

const escaped = (text: string) => text.replace(/[\u0000-\u0008\u000b-\u001f]/g, "\ufffd").replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);

/** The same as pixels, two for one. */
export async function pngOf({ text, width, height }: { text: string; width: number; height: number }): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * 2, height * 2];
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the browser made no picture"))), "image/png"));
}

/** Rows as CSV; no text is a formula to a spreadsheet. */
export function csvOf(rows: (string | number)[][]): string {
  const cell = (value: string | number) => {
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Let the browser save a file. */
export function save(content: Blob | string, name: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(typeof content === "string" ? new Blob([content], { type }) : content);
  link.download = name.replace(/[^\p{L}\p{N}._=-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 120) || "chart";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
