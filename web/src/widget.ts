import type { Bridge, Incoming, Outgoing } from "./transport";

/** What anywidget hands over, as far as it is used. */
interface Model {
  get(name: "height"): number;
  send(content: object): void;
  on(event: "msg:custom", hear: (content: Incoming, buffers: readonly DataView[]) => void): void;
  on(event: "change:height", hear: () => void): void;
  off(event: string, hear: unknown): void;
}

/** Shows the page in a frame of its own, so that styles, keys and state of page and notebook do not meet. */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  // a kernel answers all views of a widget; each view hears its own
  const mine = `${Math.random().toString(36).slice(2)}-`;
  const listeners = new Map<string, (message: Incoming) => void>();
  const frame = document.createElement("iframe");
  const bridge: Bridge = {
    send: (message: Outgoing) => model.send({ ...message, id: mine + message.id }),
    hear: (id, take) => {
      listeners.set(id, take);
      return () => void listeners.delete(id);
    },
  };
  const hear = (content: Incoming, buffers: readonly DataView[]) => {
    if (!content.id?.startsWith(mine)) return;
    const [part] = buffers ?? [];
    const body = part && (part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength) as ArrayBuffer);
    listeners.get(content.id.slice(mine.length))?.({ ...content, ...(body && { body }) });
  };
  const size = () => {
    frame.style.cssText = `display:block;width:100%;height:${model.get("height")}px;border:1px solid #8888`;
  };
  model.on("msg:custom", hear);
  model.on("change:height", size);
  size();
  frame.title = "unmixel";
  (frame as { unmixel?: Bridge }).unmixel = bridge;
  const done = bridge.hear("page", ({ kind, script, style, text }) => {
    done();
    frame.srcdoc = kind === "page" ? page(script ?? "", style ?? "") : `<p>${text ?? ""}</p>`;
  });
  el.append(frame);
  bridge.send({ kind: "page", id: "page" });
  return () => {
    model.off("msg:custom", hear);
    model.off("change:height", size);
    for (const id of listeners.keys()) bridge.send({ kind: "close", id });
    frame.remove();
  };
}

/** The page of the viewer as one text. */
function page(script: string, style: string): string {
  const inside = (text: string, tag: string) => text.replaceAll(`</${tag}`, `<\\/${tag}`);
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>unmixel</title><style>${inside(style, "style")}</style></head>` +
    `<body><div id="viewer"></div><script type="module">${inside(script, "script")}</script></body></html>`
  );
}

export default { render };
