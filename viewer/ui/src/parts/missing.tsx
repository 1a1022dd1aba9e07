/** Where a part of the page's code has not come: the viewer was started anew since the page was opened, perhaps as another version. */

export function Missing() {
  return (
    <p class="notice" role="alert">
      A part of this page has not come from the viewer.{' '}
      <button class="link" onClick={() => location.reload()}>
        load the page again
      </button>
    </p>
  );
}
