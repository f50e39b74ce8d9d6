// The start page: the node's figures, live.

import { $ } from "./elements.js";

const POLL_MS = 5_000;

const node = {
  timer: 0,
  failures: 0,
  /** The figures stand on the operator's listener unless the server is in demo mode. */
  hasStats: true,

  /** @param {string} path */
  async ask(path) {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(POLL_MS) });
    if (!response.ok) return { missing: response.status === 404 || response.status === 403 };
    return await response.json();
  },

  async look() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try {
      const from = performance.now();
      const online = await this.ask("ws/online");
      const took = performance.now() - from;
      const stats = this.hasStats ? await this.ask("stats") : { missing: true };
      if (stats.missing) this.hasStats = false;
      this.tell(online, stats, took);
      this.failures = 0;
    } catch {
      this.failures += 1;
      $("figures").dataset.stale = "true";
      $("node-note").textContent = "The node does not answer; these figures are old.";
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), POLL_MS * Math.min(6, 1 + this.failures));
  },

  /** @param {Record<string, any>} online @param {Record<string, any>} stats @param {number} took */
  tell(online, stats, took) {
    $("figures").dataset.stale = "false";
    $("online").textContent = online.online?.toLocaleString() ?? "–";
    $("connections").textContent = stats.total_connections?.toLocaleString() ?? "–";
    $("answered").textContent = took < 10 ? `${took.toFixed(1)} ms` : `${Math.round(took)} ms`;
    // Where the figures are, the console is.
    $("console-way").hidden = !this.hasStats;
    const roles = Object.entries(stats.connections_by_role ?? {});
    $("roles").hidden = roles.length === 0;
    $("roles").textContent = `Connections by role: ${roles.map(([role, count]) => `${role || "none"} ${count}`).join(", ")}`;
    $("node-note").textContent = this.hasStats
      ? "Asked every five seconds while you look."
      : "Asked every five seconds while you look. The connections are the operator's to see.";
  },
};

document.addEventListener("visibilitychange", () => node.look());
node.look();
