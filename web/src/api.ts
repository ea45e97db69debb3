import { type NdArray, decode } from "./arrays";
import type { components } from "./schema";
import { type Socket, bridge, throughWidget } from "./transport";

type Messages = components["schemas"];
/** A message of the API by its name; fields with a default may be left out of requests. */
export type Message<Name extends keyof Messages> = Messages[Name];

/** Why the server did not answer, in its own words. */
export class Refused extends Error {
  readonly status: number;
  readonly problem: Message<"Problem">;

  constructor(status: number, problem: Message<"Problem">) {
    super([problem.what, problem.expected, problem.hint].filter(Boolean).join(" "));
    this.status = status;
    this.problem = problem;
  }
}

/** Takes the token out of the address, so that it stands in no bookmark and no picture of the screen. */
export function tokenOf(place: Location, history: History): string {
  if (bridge) return ""; // who reaches the kernel needs none
  const given = new URLSearchParams(place.hash.slice(1)).get("token");
  if (given === null) return sessionStorage.getItem("unmixel-token") ?? "";
  sessionStorage.setItem("unmixel-token", given); // so that the page can be loaded again
  history.replaceState(null, "", place.pathname);
  return given;
}

let token = "";
export const useToken = (given: string): void => {
  token = given;
};

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("X-Unmixel-Token", token);
  if (init.body) headers.set("Content-Type", "application/json");
  const reply = await (bridge ? throughWidget.ask(bridge, path, init) : fetch(`./api/${path}`, { ...init, headers }));
  if (reply.ok) return reply;
  const text = await reply.text();
  let problem: Message<"Problem"> = { what: text || reply.statusText, expected: "", got: "", hint: "" };
  try {
    const parsed = JSON.parse(text);
    if (typeof parsed.what === "string") problem = parsed;
  } catch {
    // a proxy may answer in words of its own
  }
  throw new Refused(reply.status, problem);
}

const posted = (body: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(body) });

async function arrayOf(reply: Response): Promise<NdArray> {
  const bytes = await reply.arrayBuffer();
  return decode(bytes, reply.headers.get("X-Shape") ?? "", reply.headers.get("X-Dtype") ?? "");
}

/** An array with what its headers say of it. */
export interface Picture {
  readonly array: NdArray;
  /** Whether it is what reading all data gives; false for sums of bins. */
  readonly exact: boolean;
  /** Share of the scan that is in it, 0 to 1. */
  readonly done: number;
}

async function pictureOf(reply: Response): Promise<Picture> {
  const number = (name: string) => Number(reply.headers.get(name) ?? 1);
  return { array: await arrayOf(reply), exact: number("X-Exact") === 1, done: number("X-Done") };
}

export const api = {
  get: async <T>(path: string): Promise<T> => (await ask(path)).json(),
  post: async <T>(path: string, body: unknown): Promise<T> => (await ask(path, posted(body))).json(),
  array: async (path: string): Promise<NdArray> => arrayOf(await ask(path)),
  picture: async (path: string): Promise<Picture> => pictureOf(await ask(path)),
  postArray: async (path: string, body: unknown): Promise<NdArray> => arrayOf(await ask(path, posted(body))),
  blob: async (path: string): Promise<Blob> => (await ask(path)).blob(),
  postBlob: async (path: string, body: unknown): Promise<Blob> => (await ask(path, posted(body))).blob(),
  socket: (path: string): Socket => {
    if (bridge) return throughWidget.socket(bridge, path);
    const address = new URL(`./api/${path}`, document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, ["unmixel", `token.${token}`]); // sockets carry no headers of ours
    socket.binaryType = "arraybuffer";
    return socket;
  },
};

