export interface DroppedFile {
  /** Below the folder it was dropped on. */
  path: string;
  file: Blob;
}

/**
 * Files and whole folders that were dropped from outside the browser; `onProblem` hears of each that can't be read. Must be called while the event
 * is handled. Never rejects.
 */
export function droppedFiles(transfer: DataTransfer, onProblem: (path: string, error: unknown) => void): Promise<DroppedFile[]> {
  const files: DroppedFile[] = [];
  const entries: FileSystemEntry[] = [];
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry();
    if (entry !== null) {
      entries.push(entry);
      continue;
    }
    // What is no file on a disk, e.g. a picture out of another page.
    const file = item.kind === 'file' ? item.getAsFile() : null;
    if (file !== null) files.push({ path: file.name, file });
  }
  const visit = (entry: FileSystemEntry, path: string): Promise<void> =>
    read(entry, path).catch((error: unknown) => onProblem(path, error));
  const read = async (entry: FileSystemEntry, path: string): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      files.push({ path, file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // Given in parts, until one is empty.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const one of some) await visit(one, `${path}/${one.name}`);
    }
  };
  return Promise.all(entries.map((entry) => visit(entry, entry.name))).then(() => files);
}
