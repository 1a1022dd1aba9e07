/** A page that cannot be drawn says so, and leaves the frame alone. */

import { Component, type ComponentChildren } from 'preact';

interface State {
  readonly problem?: string;
}

export class Guard extends Component<{ readonly children: ComponentChildren }, State> {
  static override getDerivedStateFromError(error: unknown): State {
    return { problem: error instanceof Error ? error.message : String(error) };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
  }

  override render() {
    const { problem } = this.state;
    if (problem === undefined) return this.props.children;
    return (
      <p class="notice" role="alert">
        This page cannot be drawn: {problem}
      </p>
    );
  }
}
