import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where a back end listens while the page is developed: `npm run dev` passes on what is not the page's own. */
const backend = process.env["BACKEND_URL"] ?? "http://127.0.0.1:8000";
const paths = ["/capabilities", "/api", "/auth", "/chat", "/images", "/health"];

export default defineConfig({
  // Relative, so that the page works under any path.
  base: "./",
  plugins: [react()],
  build: { target: "es2022" },
  server: {
    host: "127.0.0.1",
    proxy: { ...Object.fromEntries(paths.map((path) => [path, backend])), "/ws": { target: backend, ws: true } },
  },
  // A busy machine is no failure.
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"], testTimeout: 60_000 },
});
