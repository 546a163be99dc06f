// How good a state is, in four levels that have a colour, a sign and a word each.

const LEVELS = {
  ok: ["ok", "running", "up", "signed in", "backfilled", "filled", "closed", "resolved"],
  degraded: ["degraded", "starting", "stopping", "restarting", "due", "warning", "suspected", "acknowledged"],
  down: ["down", "failed", "expired", "unreadable", "crashed", "error", "critical", "open", "rejected", "lost", "signed out"],
};

/** Return ok, degraded, down or none for a state's word. */
export function levelOf(state) {
  const word = String(state ?? "").toLowerCase().replaceAll("_", " ");
  return Object.keys(LEVELS).find((level) => LEVELS[level].includes(word)) ?? "none";
}
