/** The shape of rows that are not known yet. */
export function RowSkeleton({ rows }: { rows: number }) {
  return (
    <div class="waits" aria-hidden="true">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} class="skr">
          <span class="sk" style={{ width: `${60 - index * 8}%` }} />
        </div>
      ))}
    </div>
  );
}
