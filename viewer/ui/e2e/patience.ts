/** How long anything may take before it counts as wrong, in milliseconds: only failures wait so long, and machines may be slow. */
export const PATIENCE = 60_000;
