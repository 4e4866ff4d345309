// Which server answers which path: one address for all, or one for each service by the table in proto/paths.toml.
import { readFileSync } from 'node:fs';

const table = readFileSync(new URL('../../proto/paths.toml', import.meta.url), 'utf8');
const entries = [...table.matchAll(/^(?:exact|prefix) = "([^"]+)"\nservice = "([^"]+)"/gm)].map(([, path, service]) => ({ path, service }));

export class Servers {
  /** Takes `{ server }`, or a URL for each service by its name. */
  constructor(urls) {
    this.urls = urls;
  }

  /** Gives the whole URL of a path. */
  at(path) {
    const fits = ({ path: prefix }) => path === prefix || path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}?`);
    const { service } = entries.filter(fits).sort((a, b) => b.path.length - a.path.length)[0];
    return (this.urls[service] ?? this.urls.server) + path;
  }
}
