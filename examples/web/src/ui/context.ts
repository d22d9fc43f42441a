/** How components reach what the page does, and what its back end can. */
import { createContext, useContext } from "react";
import type { Feature } from "../api/types";
import type { App } from "../state/app";

export const AppContext = createContext<App | null>(null);

export function useActions(): App {
  const app = useContext(AppContext);
  if (app === null) throw new Error("no app around this component");
  return app;
}

export const useCan = (feature: Feature): boolean => useActions().api.capabilities.features.includes(feature);
