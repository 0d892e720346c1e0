// A page that is opened as a file may not start a Worker: run the search in a hidden frame instead.
// Messages are copied, as between a page and a Worker: both sides change what they get.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.page = frame.contentWindow;
      this.page.postMessage = (data) => setTimeout(() => this.onmessage?.({ data: structuredClone(data) }));
      const script = this.page.document.createElement("script");
      script.src = new URL(url, location);
      this.started = new Promise((resolve) => (script.onload = resolve));
      this.page.document.body.append(script);
    }

    postMessage(data) {
      this.started.then(() => this.page.onmessage({ data: structuredClone(data) }));
    }

    terminate() {
      this.page.frameElement.remove();
    }
  };
}
