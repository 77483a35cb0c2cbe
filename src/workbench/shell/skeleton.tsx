const rows = [
  [110, 0],
  [60, 1],
  [80, 1],
  [90, 2],
  [70, 2],
  [84, 2],
  [96, 1],
  [120, 2],
  [64, 1],
  [130, 0],
  [50, 1],
  [100, 2],
] as const;
const lines = [210, 0, 340, 380, 0, 0, 300, 268, 288, 208, 248, 0, 520, 500, 480, 460, 540] as const;

/** The page's true shape before anything is known, so that nothing moves when it is. */
export function Skeleton({ shown }: { shown: boolean }) {
  return (
    <>
      <div class="rail" />
      <aside class="side" aria-busy="true" aria-label="Connecting">
        <div class="sp-h">
          <h2>Files</h2>
        </div>
        {shown && (
          <div class="sk-tree">
            {rows.map(([width, depth], index) => (
              <div key={index} class="skr" style={{ paddingLeft: `${depth * 14}px` }}>
                <div class="sk" style={{ width: `${width}px` }} />
              </div>
            ))}
          </div>
        )}
      </aside>
      <main class="centre" id="main" aria-busy="true" aria-label="Connecting">
        <div class="tabs" />
        {shown && (
          <>
            <div class="crumb">
              <div class="sk" style={{ width: '220px' }} />
            </div>
            <div class="sk-code">
              {lines.map((width, index) => (
                <div key={index} class="skr">
                  {width > 0 && <div class="sk" style={{ width: `${width}px` }} />}
                </div>
              ))}
            </div>
          </>
        )}
      </main>
    </>
  );
}
