import { signal } from "@preact/signals";
import { type Message, api } from "./api";
import type { NdArray } from "./arrays";
import type { Socket } from "./transport";
import { chooseRun, complain, session } from "./state";

export type Job = Message<"Job">;

/** The job that is shown, and its maps and patterns as far as they are known. */
export const job = signal<Job | null>(null);
export const growing = signal<{ maps: NdArray; patterns: NdArray } | null>(null);

export const works = (found: Job | null): boolean => found?.status === "running" || found?.status === "stopping";

let socket: Socket | null = null;

export async function start(request: Partial<Message<"JobRequest">> & { scan: string }): Promise<void> {
  growing.value = null;
  follow(await api.post<Job>("jobs", request));
}

export async function stop(): Promise<void> {
  if (job.value) job.value = await api.post<Job>(`jobs/${job.value.id}/stop`, {});
}

export async function resume(): Promise<void> {
  if (job.value) follow(await api.post<Job>(`jobs/${job.value.id}/resume`, {}));
}

/** Takes up the newest job of the session, so that a page that is loaded again goes on where it was. */
export async function takeUp(): Promise<void> {
  const [newest] = await api.get<Job[]>("jobs");
  if (!newest || job.value) return;
  if (works(newest)) follow(newest);
  else job.value = newest;
}

function follow(begun: Job): void {
  job.value = begun;
  socket?.close();
  socket = api.socket(`jobs/${begun.id}/events`);
  socket.onmessage = ({ data }) => hear(JSON.parse(data) as Message<"JobEvent">);
}

function hear(event: Message<"JobEvent">): void {
  const before = job.value;
  if (event.job) job.value = event.job;
  else if (before) job.value = after(before, event);
  const now = job.value;
  if (!now) return;
  if (now.kind === "run" && now.pictures > 0 && (event.event === "pictures" || (event.event === "job" && !growing.value))) {
    readPictures(now.id).catch(complain);
  }
  if (event.event === "end" || (event.event === "job" && !works(now))) end(now).catch(complain);
}

/** Returns the job as it stands after an event. */
export function after(before: Job, event: Message<"JobEvent">): Job {
  const told = {
    ...(event.stage != null && { stage: event.stage }),
    ...(event.sweep != null && { sweeps: event.sweep }),
    ...(event.limit != null && { limit: event.limit }),
    ...(event.pictures != null && { pictures: event.pictures }),
    ...(event.status != null && { status: event.status }),
    ...(event.run != null && { run: event.run }),
  };
  const objective = event.objective != null ? [...before.objective, event.objective] : before.objective;
  const notes = event.note ? [...before.notes, event.note] : before.notes;
  return { ...before, ...told, objective, notes };
}

async function readPictures(id: string): Promise<void> {
  const [maps, patterns] = await Promise.all([api.array(`jobs/${id}/maps`), api.array(`jobs/${id}/patterns`)]);
  if (job.value?.id === id) growing.value = { maps, patterns };
}

async function end(ended: Job): Promise<void> {
  job.value = await api.get<Job>(`jobs/${ended.id}`);
  session.value = await api.get<Message<"Session">>("session");
  if (ended.kind === "run" && job.value.run && job.value.status === "finished") await chooseRun(job.value.run);
}
