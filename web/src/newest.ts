/** Asks one question at a time and keeps only the newest that waits, so that fast hands never make a queue. */
export class Newest<Question> {
  private busy = false;
  private waiting: Question | undefined;
  private readonly answer: (question: Question) => Promise<void>;

  constructor(answer: (question: Question) => Promise<void>) {
    this.answer = answer;
  }

  ask(question: Question): void {
    this.waiting = question;
    if (!this.busy) void this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    try {
      while (this.waiting !== undefined) {
        const question = this.waiting;
        this.waiting = undefined;
        await this.answer(question);
      }
    } finally {
      this.busy = false;
    }
  }
}
