import fs from 'node:fs';
import path from 'node:path';

/**
 * electron-builder calls it when a program's folder is complete, before it is signed. A package without its sidecar would only show at
 * the first start, as would one whose file lost the right to be run, as files that go through a CI system's artifacts do.
 */
export function afterPack({ appOutDir, electronPlatformName, packager }) {
  const resources =
    electronPlatformName === 'darwin' || electronPlatformName === 'mas'
      ? path.join(appOutDir, `${packager.appInfo.productFilename}.app`, 'Contents', 'Resources')
      : path.join(appOutDir, 'resources');
  const file = path.join(resources, 'sidecar', electronPlatformName === 'win32' ? 'outrigger.exe' : 'outrigger');
  if (!fs.existsSync(file)) throw new Error(`The package has no ${file}: run "npm run binary" in the checkout first.`);
  fs.chmodSync(file, 0o755);
}
