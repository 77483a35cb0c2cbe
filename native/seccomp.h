// The filter of system calls of a cage: a list of what is refused, in classic BPF. A list of what is allowed breaks programs at random, and
// each new C library anew. Numbers of calls are those of the headers; what an old system does not name is written out, as new calls
// have one number on every architecture. https://docs.kernel.org/userspace-api/seccomp_filter.html
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MOST_INSTRUCTIONS 512
#define X32_BIT 0x40000000u
// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET; NEWTIME is for clone3 alone.
#define ALL_NEW_NAMESPACES 0x7e020000u
#define TIOCLINUX_REQUEST 0x541cu
#define TIOCSTI_REQUEST 0x5412u
#define ACTION_KILL_PROCESS 0x80000000u

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
// No filter is known for it; a cage that asks for one is refused.
#define OWN_ARCH 0u
#endif

// Each is left out where an architecture has no such call.
static const int kernel_surface[] = {
  SYS_unshare, SYS_setns, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_mount,
  SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_perf_event_open,
  SYS_open_by_handle_at, SYS_swapon, SYS_swapoff, SYS_reboot, SYS_settimeofday, SYS_clock_settime, SYS_acct, SYS_quotactl, SYS_syslog,
  SYS_sethostname, SYS_setdomainname, SYS_kcmp, SYS_fanotify_init, SYS_vhangup,
#if defined(__x86_64__)
  SYS_kexec_file_load, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_create_module,
#else
  294, // kexec_file_load
#endif
  425, 426, 427,           // io_uring_setup, enter, register
  428, 429,                // open_tree, move_mount
  430, 431, 432, 433,      // fsopen, fsconfig, fsmount, fspick
  438,                     // pidfd_getfd
  440,                     // process_madvise
  442, 443,                // mount_setattr, quotactl_fd
  467,                     // open_tree_attr
};

// What holds memory that belongs to no process, or outlives all of them.
static const int shared_memory[] = {SYS_memfd_create, 447 /* memfd_secret */, SYS_shmget, SYS_msgget, SYS_semget, SYS_mq_open};

enum { NO_KERNEL_SURFACE = 1, NO_NETWORK = 2, NO_UNIX_SOCKETS = 4, NO_SHARED_MEMORY = 8 };

struct filter {
  struct sock_filter code[MOST_INSTRUCTIONS];
  unsigned short length;
};

static void emit(struct filter *filter, unsigned short code, uint32_t k, unsigned char yes, unsigned char no) {
  if (filter->length == MOST_INSTRUCTIONS) abort();
  filter->code[filter->length++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct filter *filter, size_t offset) { emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }
static void answer(struct filter *filter, uint32_t action) { emit(filter, BPF_RET | BPF_K, action, 0, 0); }

// The number of the call is loaded before and after.
static void refuse(struct filter *filter, int call, int error) {
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1);
  answer(filter, SECCOMP_RET_ERRNO | (uint32_t)error);
}

static void refuse_all(struct filter *filter, const int *calls, size_t count) {
  for (size_t at = 0; at < count; at++) refuse(filter, calls[at], EPERM);
}

// The lower half of an argument; both architectures are little-endian.
static size_t argument(int index) { return offsetof(struct seccomp_data, args) + 8 * (size_t)index; }

static void build_filter(struct filter *filter, int what) {
  load(filter, offsetof(struct seccomp_data, arch));
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
  answer(filter, ACTION_KILL_PROCESS);
  load(filter, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
  emit(filter, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
  answer(filter, ACTION_KILL_PROCESS);
#endif
  if (what & NO_KERNEL_SURFACE) {
    refuse_all(filter, kernel_surface, sizeof kernel_surface / sizeof *kernel_surface);
    refuse(filter, SYS_userfaultfd, EPERM);
    // Its arguments lie in memory, where no filter can look; a C library that is told of no such call takes clone.
    refuse(filter, 435, ENOSYS);
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    load(filter, argument(0));
    emit(filter, BPF_JMP | BPF_JSET | BPF_K, ALL_NEW_NAMESPACES, 0, 1);
    answer(filter, SECCOMP_RET_ERRNO | EPERM);
    load(filter, offsetof(struct seccomp_data, nr));
    // The limits of others of the same user, which landlock leaves open: 0 seconds of processor would end them. The C library says 0 for itself.
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 4);
    load(filter, argument(0));
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    answer(filter, SECCOMP_RET_ERRNO | EPERM);
    load(filter, offsetof(struct seccomp_data, nr));
    // Typing into the terminal of whoever started us.
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5);
    load(filter, argument(1));
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI_REQUEST, 1, 0);
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX_REQUEST, 0, 1);
    answer(filter, SECCOMP_RET_ERRNO | EPERM);
    load(filter, offsetof(struct seccomp_data, nr));
  }
  if (what & (NO_NETWORK | NO_UNIX_SOCKETS)) {
    int only_unix = (what & NO_NETWORK) && !(what & NO_UNIX_SOCKETS);
    int nothing = (what & NO_NETWORK) && (what & NO_UNIX_SOCKETS);
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, nothing ? 1 : 4);
    if (nothing) answer(filter, SECCOMP_RET_ERRNO | EPERM);
    else {
      load(filter, argument(0));
      emit(filter, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, only_unix ? 1 : 0, only_unix ? 0 : 1);
      answer(filter, SECCOMP_RET_ERRNO | EPERM);
      load(filter, offsetof(struct seccomp_data, nr));
    }
  }
  if (what & NO_SHARED_MEMORY) refuse_all(filter, shared_memory, sizeof shared_memory / sizeof *shared_memory);
  answer(filter, SECCOMP_RET_ALLOW);
}

// What runs on has it until its end, and so has all that it starts. no_new_privs is set before.
static int filter_self(int what) {
  struct filter filter = {.length = 0};
  if (OWN_ARCH == 0) {
    errno = ENOTSUP;
    return complain("seccomp on this architecture", "");
  }
  build_filter(&filter, what);
  struct sock_fprog program = {filter.length, filter.code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 ? 0 : complain("seccomp", "");
}
