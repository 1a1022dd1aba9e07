/** How grave a log line is. */

const NAMES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

export function Level({ level, severity }: { readonly level: string; readonly severity: number }) {
  const name = level || NAMES[Math.floor((severity - 1) / 4)] || '–';
  return <span class={`level ${severity >= 17 ? 'failed' : severity >= 13 ? 'slow' : 'muted'}`}>{name.slice(0, 12)}</span>;
}
