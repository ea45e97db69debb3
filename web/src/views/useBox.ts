import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** Returns a reference for an element and its width and height in CSS pixels, followed as it changes. */
export function useBox(): [{ current: HTMLDivElement | null }, number, number] {
  const element = useRef<HTMLDivElement | null>(null);
  const [[width, height], setSize] = useState<[number, number]>([0, 0]);
  useLayoutEffect(() => {
    const watched = element.current;
    if (!watched) return;
    const measure = () => setSize([watched.clientWidth, watched.clientHeight]);
    const observer = new ResizeObserver(measure);
    observer.observe(watched);
    measure();
    return () => observer.disconnect();
  }, []);
  return [element, width, height];
}
