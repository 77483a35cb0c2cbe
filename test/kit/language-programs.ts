// For tests: small programs in every language of the table, one for each way in which a run ends.

export interface LanguagePrograms {
  /** Says "out" on stdout and "err" on stderr, with its first argument and its first line of input behind, and ends with 3. */
  fails: string;
  /** Does not compile, or does not parse. */
  broken: string;
  /** Says "before", and never ends. */
  endless: string;
  /** Takes memory, and writes on it, until there is no more. */
  hungry: string;
  /** Writes "kept" into made.txt. */
  writes: string;
  /** Says each variable of its environment, as NAME=value. */
  lists: string;
}

export const programs: Readonly<Record<string, LanguagePrograms>> = {
  py: {
    fails: 'import sys\nprint("out", sys.argv[1], input())\nprint("err", file=sys.stderr)\nsys.exit(3)\n',
    broken: 'def (\n',
    endless: 'print("before")\nwhile True: pass\n',
    hungry: 'held = []\nwhile True: held.append(b"x" * 10_000_000)\n',
    writes: 'open("made.txt", "w").write("kept")\n',
    lists: 'import os\nfor name, value in os.environ.items(): print(f"{name}={value}")\n',
  },
  js: {
    fails:
      'const line = require("fs").readFileSync(0, "utf8").trim();\nconsole.log("out", process.argv[2], line);\nconsole.error("err");\nprocess.exitCode = 3;\n',
    broken: 'function (\n',
    endless: 'console.log("before");\nfor (;;);\n',
    hungry: 'const held = [];\nfor (;;) held.push(Buffer.alloc(10_000_000, 1));\n',
    writes: 'require("fs").writeFileSync("made.txt", "kept");\n',
    lists: 'for (const [name, value] of Object.entries(process.env)) console.log(`${name}=${value}`);\n',
  },
  ts: {
    fails:
      'import { readFileSync } from "node:fs";\nenum Ends { Three = 3 }\nconst line: string = readFileSync(0, "utf8").trim();\nconsole.log("out", process.argv[2] as string, line);\nconsole.error("err");\nprocess.exitCode = Ends.Three;\n',
    broken: 'const x: = 3;\n',
    endless: 'console.log("before" as string);\nfor (;;);\n',
    hungry: 'const held: Buffer[] = [];\nfor (;;) held.push(Buffer.alloc(10_000_000, 1));\n',
    writes: 'import fs from "node:fs";\nfs.writeFileSync("made.txt" as string, "kept");\n',
    lists: 'for (const [name, value] of Object.entries(process.env)) console.log(`${name}=${value as string}`);\n',
  },
  go: {
    fails:
      'package main\n\nimport (\n\t"bufio"\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n\tline, _, _ := bufio.NewReader(os.Stdin).ReadLine()\n\tfmt.Println("out", os.Args[1], string(line))\n\tfmt.Fprintln(os.Stderr, "err")\n\tos.Exit(3)\n}\n',
    broken: 'package main\n\nfunc main() { x }\n',
    endless: 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("before")\n\tfor {\n\t}\n}\n',
    hungry:
      'package main\n\nfunc main() {\n\tvar held [][]byte\n\tfor {\n\t\tpiece := make([]byte, 10000000)\n\t\tfor i := range piece {\n\t\t\tpiece[i] = 1\n\t\t}\n\t\theld = append(held, piece)\n\t}\n}\n',
    writes: 'package main\n\nimport "os"\n\nfunc main() {\n\tos.WriteFile("made.txt", []byte("kept"), 0644)\n}\n',
    lists:
      'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n\tfor _, line := range os.Environ() {\n\t\tfmt.Println(line)\n\t}\n}\n',
  },
  java: {
    fails:
      'import java.util.Scanner;\npublic class Other {\n  public static void main(String[] args) {\n    System.out.println("out " + args[0] + " " + new Scanner(System.in).nextLine());\n    System.err.println("err");\n    System.exit(3);\n  }\n}\n',
    broken: 'public class Code { int x = ; }\n',
    endless:
      'public class Code {\n  public static void main(String[] args) {\n    System.out.println("before");\n    while (true) { }\n  }\n}\n',
    hungry:
      'import java.nio.ByteBuffer;\nimport java.util.ArrayList;\npublic class Code {\n  public static void main(String[] args) {\n    var held = new ArrayList<byte[]>();\n    while (true) { byte[] piece = new byte[10_000_000]; java.util.Arrays.fill(piece, (byte) 1); held.add(piece); }\n  }\n}\n',
    writes:
      'import java.nio.file.*;\npublic class Code {\n  public static void main(String[] args) throws Exception {\n    Files.writeString(Path.of("made.txt"), "kept");\n  }\n}\n',
    lists:
      'public class Code {\n  public static void main(String[] args) {\n    System.getenv().forEach((name, value) -> System.out.println(name + "=" + value));\n  }\n}\n',
  },
  c: {
    fails:
      '#include <stdio.h>\n#include <string.h>\nint main(int argc, char **argv) {\n  char line[100];\n  if (!fgets(line, sizeof line, stdin)) return 1;\n  printf("out %s %s", argv[1], line);\n  fprintf(stderr, "err\\n");\n  return 3;\n}\n',
    broken: 'int main(void) { return x; }\n',
    endless: '#include <stdio.h>\nint main(void) {\n  printf("before\\n");\n  fflush(stdout);\n  for (volatile int i = 0;; i++);\n}\n',
    hungry:
      '#include <stdlib.h>\n#include <string.h>\nint main(void) {\n  for (;;) {\n    char *piece = malloc(10000000);\n    if (!piece) abort();\n    memset(piece, 1, 10000000);\n  }\n}\n',
    writes:
      '#include <stdio.h>\nint main(void) {\n  FILE *file = fopen("made.txt", "w");\n  fputs("kept", file);\n  return fclose(file);\n}\n',
    lists: '#include <stdio.h>\nextern char **environ;\nint main(void) {\n  for (char **line = environ; *line; line++) puts(*line);\n}\n',
  },
  cpp: {
    fails:
      '#include <iostream>\n#include <string>\nint main(int argc, char **argv) {\n  std::string line;\n  std::getline(std::cin, line);\n  std::cout << "out " << argv[1] << " " << line << std::endl;\n  std::cerr << "err" << std::endl;\n  return 3;\n}\n',
    broken: 'int main() { return x; }\n',
    endless: '#include <iostream>\nint main() {\n  std::cout << "before" << std::endl;\n  for (volatile int i = 0;; i = i + 1);\n}\n',
    hungry: '#include <vector>\nint main() {\n  std::vector<std::vector<char>> held;\n  for (;;) held.emplace_back(10000000, 1);\n}\n',
    writes: '#include <fstream>\nint main() { std::ofstream("made.txt") << "kept"; }\n',
    lists:
      '#include <iostream>\nextern char **environ;\nint main() {\n  for (char **line = environ; *line; line++) std::cout << *line << "\\n";\n}\n',
  },
  php: {
    fails: '<?php\necho "out ", $argv[1], " ", trim(fgets(STDIN)), "\\n";\nfwrite(STDERR, "err\\n");\nexit(3);\n',
    broken: '<?php\nfunction (\n',
    endless: '<?php\necho "before\\n";\nwhile (true) {}\n',
    hungry: '<?php\nini_set("memory_limit", -1);\n$held = [];\nwhile (true) $held[] = str_repeat("x", 10000000);\n',
    writes: '<?php\nfile_put_contents("made.txt", "kept");\n',
    lists: '<?php\nforeach (getenv() as $name => $value) echo "$name=$value\\n";\n',
  },
  rs: {
    fails:
      'use std::io::BufRead;\nfn main() {\n    let line = std::io::stdin().lock().lines().next().unwrap().unwrap();\n    println!("out {} {}", std::env::args().nth(1).unwrap(), line);\n    eprintln!("err");\n    std::process::exit(3);\n}\n',
    broken: 'fn main() { let x: i32 = "no"; }\n',
    endless: 'fn main() {\n    println!("before");\n    loop { std::hint::spin_loop(); }\n}\n',
    hungry: 'fn main() {\n    let mut held = Vec::new();\n    loop { held.push(vec![1u8; 10_000_000]); }\n}\n',
    writes: 'fn main() { std::fs::write("made.txt", "kept").unwrap(); }\n',
    lists: 'fn main() {\n    for (name, value) in std::env::vars() { println!("{name}={value}"); }\n}\n',
  },
  r: {
    fails:
      'line <- readLines(file("stdin"), n = 1)\ncat("out", commandArgs(TRUE)[1], line)\ncat("\\n")\nwrite("err", stderr())\nquit(status = 3)\n',
    broken: 'x <- function( {\n',
    endless: 'cat("before\\n")\nwhile (TRUE) {}\n',
    hungry: 'held <- list()\nwhile (TRUE) held[[length(held) + 1]] <- rep(1, 1250000)\n',
    writes: 'cat("kept", file = "made.txt")\n',
    lists: 'all <- Sys.getenv()\ncat(paste0(names(all), "=", all), sep = "\\n")\ncat("\\n")\n',
  },
  f90: {
    fails:
      "program fails\n  character(100) :: line, word\n  call get_command_argument(1, word)\n  read (*, '(a)') line\n  print '(a)', 'out ' // trim(word) // ' ' // trim(line)\n  write (0, '(a)') 'err'\n  call exit(3)\nend program fails\n",
    broken: 'program broken\n  integer :: x = "no\nend program\n',
    endless:
      "program endless\n  integer, volatile :: i\n  print '(a)', 'before'\n  flush (6)\n  do\n    i = 1\n  end do\nend program endless\n",
    hungry:
      'program hungry\n  type holder\n    integer(1), allocatable :: bytes(:)\n  end type\n  type(holder) :: held(10000)\n  integer :: i\n  do i = 1, 10000\n    allocate (held(i)%bytes(10000000))\n    held(i)%bytes = 1\n  end do\n  print *, held(1)%bytes(1)\nend program hungry\n',
    writes: "program writes\n  open (10, file='made.txt', access='stream')\n  write (10) 'kept'\n  close (10)\nend program writes\n",
    lists: "program lists\n  call execute_command_line('env')\nend program\n",
  },
  d: {
    fails:
      'import std.stdio, std.string;\nint main(string[] args) {\n    auto line = readln().strip();\n    writeln("out ", args[1], " ", line);\n    stderr.writeln("err");\n    return 3;\n}\n',
    broken: 'void main() { int x = "no"; }\n',
    endless: 'import std.stdio;\nvoid main() {\n    writeln("before");\n    stdout.flush();\n    while (true) {}\n}\n',
    hungry:
      'void main() {\n    ubyte[][] held;\n    while (true) {\n        auto piece = new ubyte[10_000_000];\n        piece[] = 1;\n        held ~= piece;\n    }\n}\n',
    writes: 'import std.file;\nvoid main() { write("made.txt", "kept"); }\n',
    lists: 'import std.process, std.stdio;\nvoid main() {\n    foreach (name, value; environment.toAA()) writeln(name, "=", value);\n}\n',
  },
  bash: {
    fails: 'read line\necho out "$1" "$line"\necho err >&2\nexit 3\n',
    broken: 'if then\n',
    endless: 'echo before\nwhile true; do :; done\n',
    hungry: 'held=x\nwhile true; do held="$held$held"; done\n',
    writes: 'printf kept > made.txt\n',
    lists: 'env\n',
  },
};
