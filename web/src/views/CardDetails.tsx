import type { Message } from "../api";
import { t } from "../words";

const signs = { green: "✓", yellow: "!", red: "✗", none: "–" } as const;

/** The data card: what the scan is, and whether each number can be trusted (by sign and by words). */
export function CardDetails({ card }: { card: Message<"Card"> }) {
  const doubtful = card.rows.filter((row) => row.light === "red" || row.light === "yellow").length;
  return (
    <details class="card">
      <summary>
        {t("data-card")} {doubtful > 0 && <span class="doubt">{t("to-check", { n: doubtful })}</span>}
      </summary>
      <table>
        <tbody>
          {card.rows.map((row) => (
            <tr key={row.label}>
              <td class={`light ${row.light}`}>
                <span aria-hidden="true">{signs[row.light]}</span>
                <span class="hidden">{t(`light-${row.light}`)}</span>
              </td>
              <th scope="row">{row.label}</th>
              <td>{row.value}</td>
              <td class="reason">{row.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
