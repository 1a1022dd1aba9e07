/** A trace to take away. */

import { hueOf } from '../../app/hue';
import { colour } from '../../app/theme';
import { Copy } from '../../parts/copy';
import { Icon } from '../../parts/icon';
import { Menu } from '../../parts/menu';
import { type Analysis, unfolded } from '../../trace/analysis';
import { toOtlp } from '../../trace/otlp';
import { pack } from '../../trace/permalink';
import { toSvg } from '../../trace/svg';

export interface ExportProps {
  readonly analysis: Analysis;
  readonly folded: ReadonlySet<string>;
}

export function ExportMenu({ analysis, folded }: ExportProps) {
  const { trace } = analysis;
  const name = `trace-${trace.id.slice(0, 16)}`;
  return (
    <Menu label={<><Icon shape="download" /> export</>} title="Export this trace">
      <button class="quiet" onClick={() => save(`${name}.json`, 'application/json', JSON.stringify(toOtlp(trace)))}>
        <Icon shape="download" /> OTLP JSON
      </button>
      <button class="quiet" onClick={() => save(`${name}.svg`, 'image/svg+xml', toSvg(analysis, palette(), unfolded(analysis.rows, folded)))}>
        <Icon shape="download" /> SVG of the waterfall
      </button>
      <Copy what="a link that carries the whole trace" text={() => permalink(analysis)}>
        copy a link that carries the trace
      </Copy>
      <Copy what="the address of this page" text={() => location.href}>
        copy the address of this page
      </Copy>
    </Menu>
  );
}

async function permalink({ trace }: Analysis): Promise<string> {
  return `${location.origin}/open${location.search}#${await pack(trace)}`;
}

function palette() {
  return {
    text: colour('text'), muted: colour('muted'), background: colour('panel'), line: colour('line'), failed: colour('failed'),
    hueOf: (service: string) => colour(`hue-${hueOf(service)}`),
  };
}

function save(name: string, type: string, content: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
