// A browser makes no worker for a page that was opened as a file. There the search runs in a frame of the page.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "search"
      document.body.append(frame)
      const inside = frame.contentWindow
      const load = (address) =>
        new Promise((loaded) => {
          const script = inside.document.createElement("script")
          script.src = new URL(address, location)
          script.addEventListener("load", loaded)
          inside.document.body.append(script)
        })
      inside.importScripts = async (...addresses) => {
        for (const address of addresses) await load(address)
      }
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
      this.inside = inside
      this.ready = load(url)
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
  window.Worker = window.IFrameWorker
}
