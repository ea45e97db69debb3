import { useEffect, useState } from "preact/hooks";
import { complain } from "./state";

/** Returns what a question gives, null until it is there; asked again when `keys` change, late answers dropped. */
export function useLoaded<T>(ask: (() => Promise<T>) | null, keys: readonly unknown[]): T | null {
  const [found, setFound] = useState<T | null>(null);
  useEffect(() => {
    let wanted = true;
    setFound(null);
    ask?.().then(
      (value) => wanted && setFound(value),
      (error) => wanted && complain(error),
    );
    return () => {
      wanted = false;
    };
  }, keys);
  return found;
}
