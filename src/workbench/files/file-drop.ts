import { useSignal } from '@preact/signals';
import { useWorkbench } from '../use-workbench.ts';

/** For what stands where the tree would be: files that are dropped there come into the workspace. */
export function useFileDrop() {
  const { files, readOnly } = useWorkbench();
  const over = useSignal(false);
  return {
    over: over.value,
    on: {
      onDragOver: (event: DragEvent): void => {
        if (readOnly.value) return;
        event.preventDefault();
        over.value = true;
      },
      onDragLeave: (event: DragEvent): void => {
        if (event.target === event.currentTarget) over.value = false;
      },
      onDrop: (event: DragEvent): void => {
        // Else the browser leaves the page for the file.
        event.preventDefault();
        over.value = false;
        if (readOnly.value || event.dataTransfer === null) return;
        void files.drop('', event.dataTransfer);
      },
    },
  };
}
