import { useState } from "preact/hooks";
import { type Message, api } from "../api";
import { tell } from "../state";
import { t } from "../words";

type SnippetRequest = Partial<Message<"SnippetRequest">> & Pick<Message<"SnippetRequest">, "view">;
type FigureRequest = Partial<Message<"FigureRequest">> & Pick<Message<"FigureRequest">, "view" | "opened">;

interface Props {
  readonly snippet?: SnippetRequest | null | undefined;
  readonly figure?: FigureRequest | null | undefined;
  /** A table as CSV. */
  readonly table?: (() => Promise<Blob>) | undefined;
  readonly name: string;
}

/** "Copy as Python", "copy as command", "save figure": what is seen, as text or picture that does the same. */
export function Actions({ snippet, figure, table, name }: Props) {
  const [text, setText] = useState("");
  const [copied, setCopied] = useState(false);

  const copy = async (language: "python" | "command") => {
    if (!snippet) return;
    const reply = await tell(api.post<Message<"Snippet">>("snippet", { ...snippet, language }));
    if (!reply) return;
    setText(reply.text || reply.note);
    try {
      await navigator.clipboard.writeText(reply.text);
      setCopied(true);
    } catch {
      setCopied(false); // the text below can be copied by hand
    }
  };
  const saveTable = async () => {
    const blob = table && (await tell(table()));
    if (blob) download(blob, `${name}.csv`);
  };
  const save = async (format: "svg" | "png") => {
    if (!figure) return;
    const blob = await tell(api.postBlob("figure", { ...figure, format }));
    if (blob) download(blob, `${name}.${format}`);
  };

  return (
    <div class="actions">
      {snippet && (
        <>
          <button type="button" onClick={() => copy("python")}>
            {t("copy-python")}
          </button>
          <button type="button" onClick={() => copy("command")}>
            {t("copy-command")}
          </button>
        </>
      )}
      {figure && (
        <>
          <button type="button" onClick={() => save("svg")}>
            {t("save-svg")}
          </button>
          <button type="button" onClick={() => save("png")}>
            {t("save-png")}
          </button>
        </>
      )}
      {table && (
        <button type="button" onClick={saveTable}>
          {t("save-csv")}
        </button>
      )}
      {text && (
        <div class="snippet" role="status">
          <p>
            {copied ? t("copied") : t("copy-by-hand")}
            <button type="button" class="plain" aria-label={t("close")} onClick={() => setText("")}>
              ×
            </button>
          </p>
          <pre tabindex={0}>{text}</pre>
        </div>
      )}
    </div>
  );
}

/** Hands a file to the browser's downloads. */
function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
