/** How a figure went, in the room of a word. */

export interface SparklineProps {
  readonly values: readonly (number | null)[];
  /** The part that failed, drawn in red below. */
  readonly failed?: readonly (number | null)[];
  readonly label: string;
  readonly wide?: boolean;
}

const HEIGHT = 20;

export function Sparkline({ values, failed, label, wide = false }: SparklineProps) {
  const most = Math.max(1e-12, ...values.map((value) => value ?? 0));
  const width = Math.max(1, values.length - 1);
  return (
    <svg class={wide ? 'sparkline wide' : 'sparkline'} viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path class="spark-area" d={area(values, most)} />
      <path class="spark-line" d={line(values, most)} />
      {failed && <path class="spark-failed" d={area(failed, most)} />}
    </svg>
  );
}

function at(value: number, most: number): string {
  return (HEIGHT - (value / most) * (HEIGHT - 1)).toFixed(2);
}

/** A gap where nothing is known. */
function line(values: readonly (number | null)[], most: number): string {
  let pen = 'M';
  let path = '';
  for (const [x, value] of values.entries()) {
    if (value != null) path += `${pen}${x} ${at(value, most)}`;
    pen = value == null ? 'M' : 'L';
  }
  return path;
}

function area(values: readonly (number | null)[], most: number): string {
  const points = values.map((value, x) => `L${x} ${at(value ?? 0, most)}`).join('');
  return `M0 ${HEIGHT}${points}L${values.length - 1} ${HEIGHT}Z`;
}
