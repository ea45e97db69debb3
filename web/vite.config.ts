import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const here = fileURLToPath(new URL(".", import.meta.url));
const shipped = join(here, "../src/unmixel/web/assets");
const loose = ["index.html", "openapi.json", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"];
const made = "schema.ts"; // from openapi.json, at each build

/** Writes which sources the assets were built from, so that a test without node can tell whether they match. */
function manifest(): Plugin {
  let assets = shipped;
  return {
    name: "manifest",
    apply: "build",
    configResolved(config) {
      assets = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      const sources = [...loose.map((name) => join(here, name)), ...filesBelow(join(here, "src"))];
      const written = filesBelow(assets).filter((path) => !path.endsWith("manifest.json"));
      const record = { sources: digests(sources, here), assets: digests(written, assets) };
      writeFileSync(join(assets, "manifest.json"), JSON.stringify(record, null, 1) + "\n");
    },
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== made)
    .map((entry) => join(entry.parentPath, entry.name));
}

function digests(paths: string[], root: string): Record<string, string> {
  const named = paths.map((path) => [relative(root, path).replaceAll("\\", "/"), digest(path)] as const);
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

export default defineConfig({
  base: "./",
  // the server shows the page one level above its assets
  experimental: { renderBuiltUrl: (name, { hostType }) => (hostType === "html" ? `./assets/${name}` : { relative: true }) },
  plugins: [manifest()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: { css: true, include: ["tests/**/*.test.ts"] },
  build: {
    outDir: shipped,
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: false,
    rollupOptions: {
      input: { viewer: join(here, "index.html"), widget: join(here, "src/widget.ts") },
      preserveEntrySignatures: "exports-only", // Jupyter reads what the widget exports
      output: { entryFileNames: "[name].js", assetFileNames: "viewer[extname]", chunkFileNames: "[name].js" },
    },
  },
});
