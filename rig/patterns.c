// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scanner's tables. Texts are those of Linux 5.10 to 7.2; the kernel
 * function that prints a text is named where it is not obvious.
 */
#include "patterns.h"
#include "util.h"

#define FUNC "(?<func>[A-Za-z_][\\w.]*)(?:\\+0x|\\b)"
#define AT "(?<at>[\\w./+-]+:\\d+)"

/* die() in arch/x86/kernel/dumpstack.c: "STR: CODE [#N]"; since 6.11 with
 * "Oops: " in front. */
#define DIE_END "[^:]*(?:: [0-9a-f]+)?: [0-9a-f]{4} \\[#\\d+\\]"
#define DIE_MORE "note: |Dumping ftrace|\\s+\\(ftrace"
#define DIE_ROW(lead_, text_)						\
	{ "oops", lead_, NULL, text_ "{ in $func}", text_ " $func",	\
	  .shape = PATTERN_DIE, .flags = PATTERN_BLOCK | PATTERN_FATAL,	\
	  .more = DIE_MORE }

/* Several banners of equal signs: KASAN, KFENCE, KCSAN, UBSAN. */
#define RULE "={20,}$"

#define LOCKDEP_ROW(lead_, re_)						\
	{ "lockdep", lead_, re_, "$msg{ in $func}{ ($at)}", "$msg $func", \
	  .shape = PATTERN_UNTIL,					\
	  .aux = "(?:^.*\\bat: (?:\\[<[0-9a-f]+>\\] )?" FUNC "|^" AT	\
		 " suspicious )",					\
	  .last = "stack backtrace:" }

const struct pattern patterns[] = {
/* What must not be mistaken for a report. */
	/* bad_page() and print_bad_pte() after their burst of 60. */
	{ .lead = "BUG: Bad page ", .re = "BUG: Bad page (?:state|map): \\d+ "
	  "messages suppressed", .flags = PATTERN_IGNORE },
	/* A dump that goes with a failed migration or offlining, no bug. */
	{ .lead = "page dumped because: ", .re = "page dumped because: (?:"
	  "migration failure|unmovable page|isolation failed|(?:hwpoison|"
	  "hwpoisoned|failed to isolate|isolating))", .flags = PATTERN_IGNORE |
	  PATTERN_TEXT },
	/* mem_dump_obj() after the WARN that has said it all. */
	{ .lead = "percpu_ref_switch_to_atomic_rcu: ",
	  .flags = PATTERN_IGNORE },

/* Text that says more than the block around it. */
	{ "list-corruption", "list_",
	  "(?<msg>list_(?:add|del) (?:corruption|double add))",
	  "$msg{ in $func}", "$msg $func",
	  .shape = PATTERN_WARN, .flags = PATTERN_TEXT },
	{ "refcount", "refcount_t: ",
	  "(?<msg>refcount_t: [\\w;, -]+)", "$msg{ in $func}", "$msg $func",
	  .shape = PATTERN_WARN, .flags = PATTERN_TEXT },
	{ "percpu-ref", "percpu ref (",
	  "percpu ref \\((?<msg>[^) ]+)[^)]*\\) <= 0",
	  "percpu_ref released by $msg dropped below zero", "$msg",
	  .shape = PATTERN_WARN, .flags = PATTERN_TEXT },
	{ "lockdep", "DEBUG_LOCKS_WARN_ON(",
	  "(?<msg>DEBUG_LOCKS_WARN_ON\\(.*\\))", "$msg{ in $func}",
	  "$msg $func",
	  .shape = PATTERN_WARN, .flags = PATTERN_TEXT },
	/* kasan_non_canonical_hook(): inside a general protection fault. */
	{ "KASAN", "KASAN: ", "KASAN: (?<msg>[\\w-]+(?: [\\w-]+)*) in range",
	  "KASAN: $msg{ in $func}", "$msg $func",
	  .shape = PATTERN_DIE, .flags = PATTERN_TEXT },
	/* VM_BUG_ON_PAGE() and its kin: dump_page(), then BUG() or WARN(). */
	{ "bad-page", "page dumped because: ",
	  "page dumped because: (?<msg>VM_(?:BUG|WARN)_ON\\w*\\(.*\\))",
	  "$msg{ in $func}{ ($at)}", "$msg $func",
	  .shape = PATTERN_STACK,
	  .flags = PATTERN_TEXT },

/* Sanitizers and debug checkers. */
	{ "KASAN", "BUG: KASAN: ",
	  "BUG: KASAN: (?<msg>[\\w-]+(?: [\\w-]+)*?) in " FUNC,
	  "KASAN: $msg in $func", "$msg $func",
	  .shape = PATTERN_UNTIL,
	  .end = RULE },
	{ "KFENCE", "BUG: KFENCE: ",
	  "BUG: KFENCE: (?<msg>[\\w-]+(?: [\\w-]+)*?) in " FUNC,
	  "KFENCE: $msg in $func", "$msg $func",
	  .shape = PATTERN_UNTIL,
	  .end = RULE },
	{ "KMSAN", "BUG: KMSAN: ",
	  "BUG: KMSAN: (?<msg>[\\w-]+(?: [\\w-]+)*?) in " FUNC,
	  "KMSAN: $msg in $func", "$msg $func",
	  .shape = PATTERN_UNTIL,
	  .end = RULE },
	/* The order of a race's two ends is chance: $msg has both, sorted by
	 * the kernel (print_report() in kernel/kcsan/report.c). */
	{ "KCSAN", "BUG: KCSAN: ",
	  "BUG: KCSAN: (?<msg>[\\w-]+ in [\\w.]+(?: / [\\w.]+)?)",
	  "KCSAN: $msg", "$msg",
	  .shape = PATTERN_UNTIL, .end = RULE },
	/* Since 6.8 inside a "[ cut here ]" block. */
	{ "UBSAN", "UBSAN: ", "UBSAN: (?<msg>[\\w -]+) in " AT "(?::\\d+)?",
	  "UBSAN: $msg{ in $func}{ ($at)}", "$msg $func",
	  .shape = PATTERN_WARN,
	  .flags = PATTERN_BLOCK, .end = RULE },
	{ "memory-leak", "kmemleak: ",
	  "kmemleak: \\d+ new suspected memory leaks", "kmemleak: new "
	  "suspected memory leaks", "kmemleak",
	  .shape = PATTERN_LINE },

/* lockdep: kernel/locking/lockdep.c, kernel/locking/locktorture no. */
	LOCKDEP_ROW("WARNING: possible ",
		    "WARNING: (?<msg>possible .*?)(?: detected)?$"),
	LOCKDEP_ROW("WARNING: inconsistent ",
		    "WARNING: (?<msg>inconsistent lock state)"),
	LOCKDEP_ROW("WARNING: suspicious ",
		    "WARNING: (?<msg>suspicious RCU usage)"),
	LOCKDEP_ROW("WARNING: bad ",
		    "WARNING: (?<msg>bad (?:unlock balance|contention)) "
		    "detected"),
	LOCKDEP_ROW("WARNING: Nested ",
		    "WARNING: (?<msg>Nested lock was not taken)"),
	LOCKDEP_ROW("WARNING: held ", "WARNING: (?<msg>held lock freed)"),
	LOCKDEP_ROW("WARNING: lock held ",
		    "WARNING: (?<msg>lock held when returning to user space)"),
	LOCKDEP_ROW("WARNING: chain_key ",
		    "WARNING: (?<msg>chain_key collision)"),
	LOCKDEP_ROW("WARNING: HARDIRQ-",
		    "WARNING: (?<msg>HARDIRQ-.*?)(?: detected)?$"),
	LOCKDEP_ROW("WARNING: SOFTIRQ-",
		    "WARNING: (?<msg>SOFTIRQ-.*?)(?: detected)?$"),
	/* print_held_locks_bug(): COMM/PID is in the middle. */
	LOCKDEP_ROW("WARNING: ",
		    "WARNING: \\S+ (?<msg>still has locks held)!"),
	LOCKDEP_ROW("[ BUG: ", "\\[ BUG: (?<msg>[^\\]!]+?)!? \\]"),
	LOCKDEP_ROW("INFO: trying to register ",
		    "INFO: (?<msg>trying to register non-static key)"),

/* Things that stand still. */
	{ "hung-task", "INFO: task ",
	  "INFO: task .+:\\d+ blocked(?: in I/O wait)? for more than \\d+ "
	  "seconds", "hung task{ in $func}", "$func",
	  .shape = PATTERN_STACK,
	  .more = "(?:INFO: task .* is blocked on|INFO: task .* blocked on an? "
		  ".* likely|task:|Showing all locks held|\\d+ locks? held by|"
		  "no locks held by| #\\d+: |Future hung task)",
	  .end = RULE },
	{ "soft-lockup", "watchdog: BUG: soft lockup ", NULL,
	  "soft lockup{ in $func}", "$func",
	  .shape = PATTERN_STACK,
	  .flags = PATTERN_FATAL | PATTERN_RIP,
	  .more = "(?:Sending NMI|NMI backtrace|INFO: NMI handler)" },
	{ "hard-lockup", "watchdog: ",
	  "watchdog: (?:CPU\\d+: )?Watchdog detected hard LOCKUP on cpu",
	  "hard lockup{ in $func}", "$func",
	  .shape = PATTERN_STACK,
	  .flags = PATTERN_FATAL | PATTERN_RIP,
	  .more = "(?:Sending NMI|NMI backtrace|INFO: NMI handler)" },
	{ "soft-lockup", "NMI watchdog: BUG: soft lockup ", NULL,
	  "soft lockup{ in $func}", "$func",
	  .shape = PATTERN_STACK,
	  .flags = PATTERN_FATAL | PATTERN_RIP },
	{ "hard-lockup", "NMI watchdog: Watchdog detected hard LOCKUP", NULL,
	  "hard lockup{ in $func}", "$func",
	  .shape = PATTERN_STACK,
	  .flags = PATTERN_FATAL | PATTERN_RIP,
	  .more = "(?:Sending NMI|NMI backtrace|INFO: NMI handler)" },
	{ "rcu-stall", "rcu: INFO: ",
	  "rcu: INFO: \\S+ (?<msg>self-detected stall|detected stalls|detected "
	  "expedited stalls)", "RCU stall{ in $func}", "$func",
	  .shape = PATTERN_STACK, .flags = PATTERN_FATAL | PATTERN_RIP,
	  .more = "(?:rcu: |\\t|Sending NMI|NMI backtrace|INFO: NMI handler|"
		  "task:|Task dump|Tasks blocked|Blocked by|"
		  "blocking rcu_node)" },
	{ "rcu-stall", "rcu: rcu_",
	  "rcu: rcu_\\w+ kthread (?:starved|timer wakeup didn't happen)",
	  "RCU grace-period kthread starved", "kthread starved",
	  .shape = PATTERN_STACK, .flags = PATTERN_FATAL | PATTERN_RIP,
	  .more = "(?:rcu: |\\t|Sending NMI|NMI backtrace|task:)" },
	{ "workqueue-lockup", "BUG: workqueue lockup ", NULL,
	  "workqueue lockup{ in $func}", "$func",
	  .shape = PATTERN_LINE, .flags = PATTERN_FATAL,
	  .more = "(?:Showing (?:busy|backtraces)|workqueue |  pwq |    "
		  "(?:in-flight|pending|inactive)|pool \\d+)" },
	{ "netdev-wait", "unregister_netdevice: waiting ",
	  "unregister_netdevice: waiting for (?<msg>\\S+) to become free",
	  "unregister_netdevice: waiting for $msg to become free",
	  "unregister_netdevice",
	  .shape = PATTERN_LINE, .more = "ref_tracker: " },

/* Pages and address spaces. */
	{ "bad-page", "BUG: Bad page state ", NULL,
	  "Bad page state{: $msg}{ in $func}", "{$msg }$func",
	  .shape = PATTERN_STACK,
	  .aux = "^page dumped because: (?<msg>.+)" },
	{ "bad-page", "BUG: Bad page cache ", NULL,
	  "Bad page cache{ in $func}", "page cache $func",
	  .shape = PATTERN_STACK },
	{ "bad-page", "BUG: Bad page map ", NULL,
	  "Bad page map{ in $func}", "page map $func",
	  .shape = PATTERN_STACK },
	{ "bad-rss", "BUG: Bad rss-counter state ",
	  "BUG: Bad rss-counter state .*?type:(?<msg>\\w+)",
	  "Bad rss-counter state ($msg)", "$msg",
	  .shape = PATTERN_LINE },
	{ "bad-rss", "BUG: non-zero pgtables_bytes ", NULL,
	  "non-zero pgtables_bytes on freeing mm", "pgtables_bytes",
	  .shape = PATTERN_LINE },

/* Deaths. */
	{ "BUG", "kernel BUG at ", "kernel BUG at " AT,
	  "kernel BUG{ in $func} ($at)", "$func",
	  .shape = PATTERN_DIE, .flags = PATTERN_BLOCK |
	  PATTERN_FATAL | PATTERN_FLOAT, .more = DIE_MORE },
	{ "oops", "BUG: kernel NULL pointer ", NULL,
	  "NULL pointer dereference{ in $func}", "NULL $func",
	  .shape = PATTERN_DIE,
	  .flags = PATTERN_BLOCK | PATTERN_FATAL | PATTERN_FLOAT, .more = DIE_MORE },
	{ "oops", "BUG: unable to handle ",
	  "BUG: unable to handle (?:kernel )?(?<msg>page fault|paging request|"
	  "NULL pointer dereference)", "unable to handle $msg{ in $func}",
	  "$msg $func",
	  .shape = PATTERN_DIE,
	  .flags = PATTERN_BLOCK | PATTERN_FATAL | PATTERN_FLOAT, .more = DIE_MORE },
	{ "oops", "BUG: ", "BUG: .* stack guard page was hit",
	  "stack overflow{ in $func}", "stack $func",
	  .shape = PATTERN_DIE,
	  .flags = PATTERN_BLOCK | PATTERN_FATAL, .more = DIE_MORE },
	{ "oops", "traps: PANIC: double fault", NULL, "double fault{ in $func}",
	  "double fault $func",
	  .shape = PATTERN_DIE, .flags = PATTERN_BLOCK | PATTERN_FATAL },
	DIE_ROW("PANIC: double fault", "double fault"),
	DIE_ROW("double fault: ", "double fault"),
	DIE_ROW("stack guard page: ", "stack overflow"),
	DIE_ROW("general protection fault", "general protection fault"),
	DIE_ROW("divide error: ", "divide error"),
	DIE_ROW("int3: ", "int3"),
	DIE_ROW("stack segment: ", "stack segment fault"),
	DIE_ROW("alignment check: ", "alignment check"),
	DIE_ROW("control protection fault", "control protection fault"),
	{ "oops", "Oops: ", "(?:Oops: )+(?<msg>[a-z][\\w -]*[\\w])" DIE_END,
	  "$msg{ in $func}", "$msg $func",
	  .shape = PATTERN_DIE,
	  .flags = PATTERN_BLOCK | PATTERN_FATAL, .more = DIE_MORE },
	DIE_ROW("invalid opcode: ", "invalid opcode"),
	DIE_ROW("Oops: ", "oops"),

/* WARN(): __warn() in kernel/panic.c; since 6.18 file and line come first. */
	{ "WARNING", "WARNING: CPU: ",
	  "WARNING: CPU: \\d+ PID: \\d+ at (?:(?:\\[.*\\] )?" AT " )?" FUNC,
	  "WARNING in $func{ ($at)}", "$func",
	  .shape = PATTERN_WARN,
	  .flags = PATTERN_BLOCK | PATTERN_FLOAT },
	{ "WARNING", "WARNING: ",
	  "WARNING: (?:(?:\\[.*\\] )?" AT " )?at " FUNC ".*, CPU#\\d+: ",
	  "WARNING in $func{ ($at)}", "$func",
	  .shape = PATTERN_WARN, .flags = PATTERN_BLOCK },

	{ "atomic", "BUG: sleeping function called from invalid context",
	  NULL, "sleeping function called from invalid context{ in $func}",
	  "sleeping $func",
	  .shape = PATTERN_STACK },
	{ "atomic", "BUG: scheduling while atomic", NULL,
	  "scheduling while atomic{ in $func}", "scheduling $func",
	  .shape = PATTERN_STACK },
	{ "atomic", "BUG: workqueue leaked ",
	  "BUG: (?<msg>workqueue leaked [\\w ,]+)", "$msg", "$msg",
	  .shape = PATTERN_STACK },
	{ "atomic", "BUG: using ",
	  "BUG: (?<msg>using \\S+ in preemptible)", "$msg code{ in $func}",
	  "$msg $func",
	  .shape = PATTERN_STACK },
	{ "BUG", "BUG: ", "BUG: (?<msg>.*[\\w)])", "BUG: $msg{ in $func}",
	  "$msg",
	  .shape = PATTERN_LINE },

/* Filesystems and storage. XFS says several lines of one event in a row. */
	{ "fs-corruption", "XFS (",
	  "XFS \\([^)]*\\): (?<msg>Metadata (?:corruption|CRC error)) detected "
	  "at " FUNC, "XFS: $msg in $func", "$msg $func",
	  .shape = PATTERN_LINE,
	  .more = "(?:XFS \\(|[0-9a-f]{8}: )" },
	{ "fs-corruption", "XFS (",
	  "XFS \\([^)]*\\): Internal error (?<msg>.*?)(?: at line (?:\\d+) of "
	  "file \\S+|\\.  )\\s*Caller " FUNC,
	  "XFS: internal error{ in $func}", "internal $func",
	  .shape = PATTERN_LINE,
	  .more = "(?:XFS \\(|[0-9a-f]{8}: )" },
	{ "fs-corruption", "XFS (",
	  "XFS \\([^)]*\\): (?:Corruption of in-memory data|Corruption of "
	  "on-disk metadata|Metadata I/O Error|Log I/O Error).* detected at "
	  FUNC, "XFS: shut down in $func", "shutdown $func",
	  .shape = PATTERN_LINE,
	  .more = "XFS \\(" },
	{ "fs-corruption", "XFS: Assertion failed: ",
	  "XFS: (?<msg>Assertion failed: .*?), file: (?<at>[^,]+, line: \\d+)",
	  "XFS: $msg", "$msg",
	  .shape = PATTERN_LINE, .flags = PATTERN_TEXT },
	{ "fs-shutdown", "XFS (",
	  "XFS \\([^)]*\\): (?:xfs_do_force_shutdown|.*[Ff]ilesystem has been "
	  "shut down|.*Shutting down filesystem)",
	  "XFS: filesystem has been shut down", "XFS shutdown",
	  .shape = PATTERN_LINE, .more = "XFS \\(" },
	{ "io-error", "XFS (",
	  "XFS \\([^)]*\\): (?<msg>metadata I/O error|log I/O error)",
	  "XFS: $msg", "XFS $msg",
	  .shape = PATTERN_LINE, .more = "XFS \\(" },
	{ "fs-corruption", "EXT4-fs error ",
	  "EXT4-fs error \\([^)]*\\)(?:: | in )" FUNC "(?::\\d+)?",
	  "EXT4-fs error in $func", "ext4 $func",
	  .shape = PATTERN_LINE,
	  .more = "EXT4-fs (?:error|\\()" },
	{ "fs-corruption", "EXT4-fs (",
	  "EXT4-fs \\([^)]*\\): Delayed block allocation failed",
	  "EXT4-fs: delayed block allocation failed", "ext4 delayed",
	  .shape = PATTERN_LINE, .more = "(?:EXT4-fs \\(|This should not happen)" },
	{ "fs-shutdown", "EXT4-fs (",
	  "EXT4-fs \\([^)]*\\): (?:Remounting filesystem read-only|shut down "
	  "requested)", "EXT4-fs: remounted read-only or shut down",
	  "ext4 shutdown",
	  .shape = PATTERN_LINE, .more = "EXT4-fs \\(" },
	{ "fs-corruption", "JBD2: ",
	  "JBD2: (?<msg>Detected IO errors|Error .*|.*corrupt.*)",
	  "JBD2: $msg", "jbd2 $msg",
	  .shape = PATTERN_LINE },
	{ "io-error", "Buffer I/O error on dev ",
	  "Buffer I/O error on dev (?<msg>\\w+)",
	  "Buffer I/O error on dev $msg", "buffer $msg",
	  .shape = PATTERN_LINE },
	{ "io-error", "I/O error, dev ", "I/O error, dev (?<msg>\\w+)",
	  "I/O error, dev $msg", "block $msg",
	  .shape = PATTERN_LINE },
	{ "io-error", "critical ", "critical \\w+ error, dev (?<msg>\\w+)",
	  "I/O error, dev $msg", "block $msg",
	  .shape = PATTERN_LINE },
	{ "io-error", "blk_update_request: ",
	  "blk_update_request: (?:[\\w/]+ )*error, dev (?<msg>\\w+)",
	  "I/O error, dev $msg", "block $msg",
	  .shape = PATTERN_LINE },

/* The end. */
	{ "oom", "Out of memory: Killed process ",
	  "Out of memory: Killed process \\d+ \\((?<msg>.*?)\\)",
	  "out of memory: killed $msg", "oom",
	  .shape = PATTERN_LINE },
	{ "stack-corruption", "Kernel panic - not syncing: stack-protector",
	  "Kernel panic - not syncing: stack-protector: Kernel stack is "
	  "corrupted in: " FUNC, "kernel stack is corrupted in $func",
	  "$func",
	  .shape = PATTERN_PANIC, .flags = PATTERN_FATAL },
	{ "panic", "Kernel panic - not syncing: ",
	  "Kernel panic - not syncing: (?<msg>.*?)\\s*$", "Kernel panic: $msg",
	  "$msg",
	  .shape = PATTERN_PANIC, .flags = PATTERN_FATAL | PATTERN_FLOAT },
/* dump_page() without a BUG or WARN after it. */
	{ "bad-page", "page dumped because: ",
	  "page dumped because: (?<msg>.+)", "page dumped: $msg", "$msg",
	  .shape = PATTERN_LINE, .flags = PATTERN_TEXT, .more = "(?:page_owner |page last )" },
	{ "bad-page", "page:",
	  "page: ?(?:\\S+ )?(?:refcount:|count:|is uninitialized)",
	  "page dumped", "page dumped",
	  .shape = PATTERN_LINE, .flags = PATTERN_TEXT,
	  .more = "(?:head:|memcg:|anon |ksm |flags:|raw:|page_type:|aops:|"
		  "invalid mapping|\\S+ ino:|\\w+ flags:)" },
};
const size_t nr_patterns = ARRAY_SIZE(patterns);

const struct pattern pattern_cut = {
	"WARNING", "------------[ cut here ]------------", NULL,
	"WARNING{ in $func} (its own line is lost)", "$func",
	.shape = PATTERN_WARN
};

const struct panic_cause panic_causes[] = {
	{ .text = "panic_on_warn set" },
	{ "kasan.fault=panic set", .kind = "KASAN" },
	{ "hung_task: blocked tasks", .kind = "hung-task" },
	{ "softlockup: hung tasks", .kind = "soft-lockup" },
	{ "Hard LOCKUP", .kind = "hard-lockup" },
	{ "RCU Stall", .kind = "rcu-stall" },
	{ "Machine halted", .fatal = true },
	{ "stack guard hit", .fatal = true },
	{ "Fatal exception", .fatal = true },
	{ "Aiee, killing interrupt handler", .fatal = true },
	{ "Attempted to kill the idle task", .fatal = true },
	{ "Attempted to kill init!", .fatal = true, .pid = 1 },
};
const size_t nr_panic_causes = ARRAY_SIZE(panic_causes);

const char *const generic_functions[] = {
	/* printing and dying */
	"dump_stack*", "show_stack", "show_trace*", "show_regs*", "__warn*",
	"warn_slowpath*", "report_bug*", "handle_bug*", "die", "die_addr", "__die*",
	"exc_*", "asm_*", "do_trap*", "do_error_trap*", "do_invalid_op*",
	"error_entry", "fixup_exception", "page_fault_oops", "no_context",
	"bad_area*", "__bad_area*", "panic", "vpanic", "nmi_panic",
	"sched_show_task", "nmi_cpu_backtrace*", "nmi_trigger*",
	"trigger_*backtrace*", "arch_trigger*", "rcu_dump_cpu_stacks*",
	"print_cpu_stall*", "rcu_sched_clock_irq*", "update_process_times",
	"tick_*", "__hrtimer_*", "hrtimer_*", "timer_interrupt",
	"__sysvec_*", "sysvec_*", "print_*stall*",
	/* checkers */
	"kasan_*", "__kasan_*", "__asan_*", "print_report",
	"print_address_description*", "check_memory_region*", "kfence_*",
	"__kfence_*", "kcsan_*", "__kcsan_*", "__tsan_*", "kmsan_*",
	"__msan_*", "__ubsan_*", "ubsan_*", "handle_overflow*",
	"refcount_*", "__refcount_*", "kref_*", "__list_add*", "__list_del*",
	"list_add*", "list_del*",
	"lockdep_*", "__lock_*", "lock_acquire*", "lock_release*",
	"check_*deadlock*", "validate_chain*", "mark_lock*", "print_*_bug*",
	"register_lock_class", "debug_mutex_*", "check_flags*",
	"__might_*", "___might_*", "__schedule_bug*", "__might_sleep",
	"usercopy_abort", "__check_object_size", "__check_heap_object",
	"fortify_panic", "__fortify_*", "__stack_chk_fail",
	"rcu_lockdep_*", "debug_smp_processor_id",
	/* copying */
	"memcpy*", "__memcpy*", "__memset*", "__memmove*", "memset*", "memmove*", "strlen",
	"strcpy", "strncpy", "strscpy", "copy_user*", "_copy_*", "__copy_*",
	"rep_movs*", "rep_stos*", "copy_mc*", "clear_page_*", "copy_page",
	/* locking and waiting */
	"__schedule*", "schedule*", "preempt_schedule*", "io_schedule*",
	"__mutex_*", "mutex_*", "__rwsem_*", "rwsem_*", "down_*", "__down*",
	"up_*", "__up_*", "percpu_down_*", "__percpu_down_*", "percpu_rwsem*",
	"_raw_*", "__raw_*", "raw_spin*", "queued_*", "native_queued_*",
	"do_raw_*", "osq_lock", "__wait_on_bit*", "out_of_line_wait*",
	"wait_on_bit*", "bit_wait*", "var_wait*", "wait_for_completion*",
	"__wait_for_common", "do_wait_for_common", "prepare_to_wait*",
	"__wait_rcu_gp*", "synchronize_*", "__synchronize_*", "__flush_work*",
	"flush_work*", "msleep*", "usleep*", "folio_wait_*", "__folio_lock*",
	"folio_lock*", "__lock_page*", "__down_common", "rt_mutex_*",
	"smp_call_function*", "__smp_call_*", "on_each_cpu*",
	/* freeing and dumping a page */
	"dump_page*", "__dump_page*", "bad_page*", "free_unref_*",
	"__free_pages*", "__free_frozen_*", "free_frozen_*", "free_pcp*",
	"free_page_is_bad*", "check_free_page*", "check_new_page*",
	"free_pages*", "__free_one_page", "prep_new_page",
	"get_page_from_freelist", "print_bad_pte*", "print_bad_page_map*",
	"__print_bad_page_map*",
	/* an idle CPU */
	"native_*halt", "default_idle*", "pv_native_safe_halt",
	"amd_e400_idle", "acpi_idle_*", "cpuidle_*", "do_idle", "mwait_idle*",
	"intel_idle*", "arch_cpu_idle",
};
const size_t nr_generic_functions = ARRAY_SIZE(generic_functions);
