import type { MemoryMethod } from './isolation/sandbox.ts';
import { javaTypesOf } from './java-types.ts';

/** A file name holds 255 bytes; `source_`, `.java` and `.class` with what stands for an inner class belong to it. */
const MAX_CLASS_BYTES = 200;

/** Arguments right behind the compiler, and variables. */
export interface SeedWay {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A language, all of what is known of it. In `compile`, `run` and `environment`, `{file}` is the source, `{name}` its file name without the
 * extension, `{class}` that with the package of the source before it, `{workdir}` the folder of the run, and `{out}` what the compiler makes:
 * each inside of one argument, which no shell reads.
 */
export interface Language {
  readonly code: string;
  readonly name: string;
  readonly aliases: readonly string[];
  /** Of the container image that has it. */
  readonly image: string;
  /** As which the image runs. */
  readonly userId: number;
  readonly extension: string;
  /** Under which the source is stored. */
  readonly file: string;
  readonly compile?: readonly [string, ...string[]];
  readonly run: readonly [string, ...string[]];
  /** On top of `baseEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeMultiplier: number;
  readonly memoryMultiplier: number;
  readonly memoryMethod: MemoryMethod;
  /** What makes a later start quicker, beside the cache of compiled programs. */
  readonly warmUp: 'none' | 'python' | 'node' | 'transform';
  /** What its compiler can keep of one compilation for all later ones, at `{seed}`. `program`: what is compiled for it, where that is not the sample. */
  readonly seed?: { readonly make: SeedWay; readonly use: SeedWay; readonly program?: string };
  /** Variables can live on in a session. */
  readonly keepsState: boolean;
  /** Of Debian. */
  readonly packages: readonly string[];
  /** A whole program that says hello and reads nothing. */
  readonly sample: string;
}

/** The user of the images: https://github.com/GoogleContainerTools/distroless calls it nonroot. */
const NONROOT = 65_532;

const node = {
  image: 'nodejs',
  userId: NONROOT,
  run: ['node', '{file}'],
  environment: { NODE_ENV: 'sandbox', NODE_PATH: '{workdir}/node_modules' },
  memoryMultiplier: 1,
  // V8 reserves more than any limit that is useful.
  memoryMethod: 'tree',
  packages: ['nodejs'],
} as const;

const gnu = {
  image: 'c-cpp',
  userId: NONROOT,
  run: ['{out}'],
  environment: { CC: 'gcc', CXX: 'g++' },
  timeMultiplier: 1.5,
  memoryMultiplier: 1,
  memoryMethod: 'address-space',
  warmUp: 'none',
  keepsState: false,
} as const;

const usualPackagesOfGo = `package main

import (
	_ "bufio"
	_ "bytes"
	_ "context"
	_ "encoding/json"
	_ "errors"
	"fmt"
	_ "io"
	_ "math"
	_ "math/rand"
	_ "os"
	_ "regexp"
	_ "sort"
	_ "strconv"
	_ "strings"
	_ "sync"
	_ "time"
)

func main() {
	fmt.Println()
}
`;

/** All languages. Docs, schemas, images, package lists and tests come from here; nothing else knows a compiler. */
export const languages: readonly Language[] = [
  {
    code: 'py',
    name: 'Python',
    aliases: ['python', 'python3'],
    image: 'python',
    userId: NONROOT,
    extension: 'py',
    file: 'code.py',
    run: ['python3', '{file}'],
    environment: {
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONPATH: '{workdir}',
      MPLCONFIGDIR: '/tmp/matplotlib',
    },
    timeMultiplier: 1,
    memoryMultiplier: 1,
    memoryMethod: 'address-space',
    warmUp: 'python',
    keepsState: true,
    packages: ['python3'],
    sample: "print('Hello from Python')\n",
  },
  {
    ...node,
    code: 'js',
    name: 'JavaScript',
    aliases: ['javascript', 'node'],
    extension: 'js',
    file: 'code.js',
    timeMultiplier: 1,
    warmUp: 'node',
    keepsState: true,
    sample: "console.log('Hello from JavaScript');\n",
  },
  {
    ...node,
    code: 'ts',
    name: 'TypeScript',
    aliases: ['typescript'],
    extension: 'ts',
    file: 'code.ts',
    timeMultiplier: 2,
    warmUp: 'transform',
    keepsState: false,
    sample: "const greeting: string = 'Hello from TypeScript';\nconsole.log(greeting);\n",
  },
  {
    code: 'go',
    name: 'Go',
    aliases: ['golang'],
    image: 'go',
    userId: NONROOT,
    extension: 'go',
    file: 'main.go',
    compile: ['go', 'build', '-o', '{out}', '{file}'],
    run: ['{out}'],
    environment: {
      GO111MODULE: 'on',
      GOCACHE: '/tmp/go-cache',
      GOMODCACHE: '/tmp/go-modules',
      GOPROXY: 'off',
      GOSUMDB: 'off',
      GOTOOLCHAIN: 'local',
      CGO_ENABLED: '0',
    },
    timeMultiplier: 1.5,
    memoryMultiplier: 1.2,
    memoryMethod: 'tree',
    warmUp: 'none',
    seed: { make: { env: { GOCACHE: '{seed}' } }, use: { env: { GOCACHE: '{seed}' } }, program: usualPackagesOfGo },
    keepsState: false,
    packages: ['golang-go'],
    sample: 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("Hello from Go")\n}\n',
  },
  {
    code: 'java',
    name: 'Java',
    aliases: [],
    image: 'java',
    userId: NONROOT,
    extension: 'java',
    file: 'Code.java',
    compile: [
      'javac',
      '-J-XX:TieredStopAtLevel=1',
      '-J-XX:+UseSerialGC',
      '-J-Xshare:auto',
      '-J-XX:-UsePerfData',
      // A young generation that a small program fills once, if at all.
      '-J-Xms64m',
      '-J-Xmn40m',
      '-encoding',
      'UTF-8',
      '-d',
      '{out}',
      '{file}',
    ],
    run: [
      'java',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-Xshare:auto',
      '-XX:-UsePerfData',
      '-Xms128m',
      '-Xmx512m',
      '-cp',
      '{out}:{workdir}',
      '{class}',
    ],
    environment: { CLASSPATH: '{workdir}' },
    seed: { make: { args: ['-J-XX:ArchiveClassesAtExit={seed}'] }, use: { args: ['-J-XX:SharedArchiveFile={seed}'] } },
    timeMultiplier: 2,
    memoryMultiplier: 1.5,
    memoryMethod: 'tree',
    warmUp: 'none',
    keepsState: false,
    packages: ['default-jdk-headless'],
    sample: 'public class Code {\n  public static void main(String[] args) {\n    System.out.println("Hello from Java");\n  }\n}\n',
  },
  {
    ...gnu,
    code: 'c',
    name: 'C',
    aliases: [],
    extension: 'c',
    file: 'code.c',
    compile: ['gcc', '{file}', '-o', '{out}', '-lm'],
    packages: ['gcc', 'libc6-dev'],
    sample: '#include <stdio.h>\n\nint main(void) {\n  puts("Hello from C");\n  return 0;\n}\n',
  },
  {
    ...gnu,
    code: 'cpp',
    name: 'C++',
    aliases: ['c++', 'cxx'],
    extension: 'cpp',
    file: 'code.cpp',
    compile: ['g++', '-std=c++20', '{file}', '-o', '{out}'],
    packages: ['g++', 'libc6-dev'],
    sample: '#include <iostream>\n\nint main() {\n  std::cout << "Hello from C++" << std::endl;\n}\n',
  },
  {
    code: 'php',
    name: 'PHP',
    aliases: [],
    image: 'php',
    userId: NONROOT,
    extension: 'php',
    file: 'code.php',
    run: ['php', '{file}'],
    environment: {},
    timeMultiplier: 1,
    memoryMultiplier: 1,
    memoryMethod: 'address-space',
    warmUp: 'none',
    keepsState: false,
    packages: ['php-cli'],
    sample: '<?php\necho "Hello from PHP\\n";\n',
  },
  {
    code: 'rs',
    name: 'Rust',
    aliases: ['rust'],
    image: 'rust',
    userId: NONROOT,
    extension: 'rs',
    file: 'main.rs',
    compile: ['rustc', '--edition', '2021', '--color', 'never', '-C', 'debuginfo=0', '-C', 'strip=debuginfo', '-o', '{out}', '{file}'],
    run: ['{out}'],
    environment: { CARGO_NET_OFFLINE: 'true' },
    timeMultiplier: 3,
    memoryMultiplier: 1.5,
    memoryMethod: 'tree',
    warmUp: 'none',
    keepsState: false,
    packages: ['rustc', 'gcc', 'libc6-dev'],
    sample: 'fn main() {\n    println!("Hello from Rust");\n}\n',
  },
  {
    code: 'r',
    name: 'R',
    aliases: [],
    image: 'r',
    userId: NONROOT,
    extension: 'r',
    file: 'code.r',
    run: ['Rscript', '--vanilla', '{file}'],
    environment: { R_LIBS_USER: '{workdir}/R' },
    timeMultiplier: 1.5,
    memoryMultiplier: 1.2,
    memoryMethod: 'address-space',
    warmUp: 'none',
    keepsState: false,
    packages: ['r-base-core'],
    sample: 'cat("Hello from R\\n")\n',
  },
  {
    code: 'f90',
    name: 'Fortran',
    aliases: ['fortran'],
    image: 'fortran',
    userId: NONROOT,
    extension: 'f90',
    file: 'code.f90',
    compile: ['gfortran', '-J', '{workdir}', '{file}', '-o', '{out}'],
    run: ['{out}'],
    environment: { FC: 'gfortran' },
    timeMultiplier: 2,
    memoryMultiplier: 1,
    memoryMethod: 'address-space',
    warmUp: 'none',
    keepsState: false,
    packages: ['gfortran'],
    sample: "program hello\n  print '(a)', 'Hello from Fortran'\nend program hello\n",
  },
  {
    code: 'd',
    name: 'D',
    aliases: ['dlang'],
    image: 'd',
    userId: NONROOT,
    extension: 'd',
    file: 'code.d',
    compile: ['ldc2', '-of={out}', '{file}'],
    run: ['{out}'],
    environment: {},
    timeMultiplier: 2,
    memoryMultiplier: 1.2,
    memoryMethod: 'tree',
    warmUp: 'none',
    keepsState: false,
    packages: ['ldc', 'gcc', 'libc6-dev'],
    sample: 'import std.stdio;\n\nvoid main() {\n    writeln("Hello from D");\n}\n',
  },
  {
    code: 'bash',
    name: 'Bash',
    aliases: ['sh', 'shell'],
    image: 'python',
    userId: NONROOT,
    extension: 'sh',
    file: 'code.sh',
    run: ['bash', '{file}'],
    environment: {},
    timeMultiplier: 1,
    memoryMultiplier: 1,
    memoryMethod: 'address-space',
    warmUp: 'none',
    keepsState: false,
    packages: ['bash'],
    sample: 'echo "Hello from Bash"\n',
  },
];

/** What a program finds in its environment, and nothing else but what its language and its caller add. */
export function baseEnvironment(language: Language): Record<string, string> {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', LANGUAGE: language.code };
}

const byName = new Map(languages.flatMap((language) => [language.code, ...language.aliases].map((name) => [name, language] as const)));

/** By its code or an alias, in any case. */
export function languageNamed(name: string): Language | undefined {
  return byName.get(name.toLowerCase());
}

export interface Places {
  /** Absolute, as the program sees them. */
  workdir: string;
  file: string;
  out: string;
  /** Of the source, with dots; undefined or empty: it is in none. */
  inPackage?: string;
}

/** Of a template of the table: each placeholder stands for its path, wherever it stands. */
export function filled(template: string, { workdir, file, out, inPackage = '' }: Places): string {
  const name = file.slice(file.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
  const values: Record<string, string> = { workdir, file, out, name, class: inPackage === '' ? name : `${inPackage}.${name}` };
  return template.replace(/\{(workdir|file|out|name|class)\}/g, (_, which: string) => values[which] as string);
}

export function filledArgv(argv: readonly [string, ...string[]], places: Places): [string, ...string[]] {
  const [program, ...rest] = argv.map((part) => filled(part, places));
  return [program as string, ...rest];
}

/** The programs that a language needs, by their names on PATH. */
export function programsOf({ compile, run }: Language): string[] {
  return [compile?.[0], run[0]].filter((program) => program !== undefined && !program.startsWith('{')) as string[];
}

/** A class that Java wants in a file of its own name, as far as a file can have it, else the one that it is to start; else the language's own. */
export function fileNameFor({ code, file }: Language, source: string): string {
  if (code !== 'java') return file;
  const { types, hasLooseMain } = javaTypesOf(source);
  if (hasLooseMain) return file;
  const named =
    types.find(({ isPublic }) => isPublic) ??
    types.find(({ main }) => main === 'static') ??
    types.find(({ main }) => main === 'instance') ??
    types.find(({ isInterface }) => !isInterface);
  return named === undefined || Buffer.byteLength(named.name) > MAX_CLASS_BYTES ? file : `${named.name}.java`;
}

/** In which a source says that it is; empty: in none, or its language has no such thing. */
export function packageOf({ code }: Language, source: string): string {
  return code === 'java' ? javaTypesOf(source).inPackage : '';
}
