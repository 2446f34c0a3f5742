// Bundles the page into the folder that is named: node build.mjs FOLDER
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const folder = process.argv[2] ?? "../src/synapse_otel/ui/web/static";
await mkdir(folder, { recursive: true });
await build({
  entryPoints: { app: "src/main.tsx" },
  outdir: folder,
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "eof",
  format: "iife",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
for (const name of ["index.html", "icon.svg"]) {
  await copyFile(`src/${name}`, `${folder}/${name}`);
}
