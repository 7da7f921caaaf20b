// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every way a mapping goes, under a reference. Whoever clears a PTE or PMD
 * drops what the mapping held and nothing else: mm/memory.c zap_pte_range()
 * and mm/huge_memory.c zap_huge_pmd(), __split_huge_pmd_locked(),
 * move_huge_pmd(), copy_huge_pmd(). Up to 6.14 DAX pages are not
 * vm_normal_page() and the zap must not put them; from 6.15 on it drops the
 * map count and one reference. A put too many leaves truncate going ahead
 * under the reference (or frees the page below it), a put too few leaves it
 * asleep after the last reference is gone: both ends are checked.
 *
 * The file stays mapped elsewhere, at a page nobody touches: up to 6.14
 * truncate does not look for references in a file without mappings, which is
 * what pin-unmap-truncate is for.
 */
#include "workload.h"

#include <signal.h>
#include <sys/wait.h>

static struct {
	int fd, pipe[2];
	size_t len;	/* of the file: two units */
	char *p, *q;	/* two mappings of the first unit */
	char *want;	/* what the file has to hold */
	char *peer_map;	/* the peer's, valid in the peer only */
	bool peer_stays;
} z;

static bool is(const char *variant)
{
	return strcmp(wl->variant, variant) == 0;
}

/* --- in the peer --------------------------------------------------------- */

static int peer_map(void *arg)
{
	z.peer_map = dax_map(z.fd, 0, wl->unit, PROT_READ | PROT_WRITE);
	touch_read(z.peer_map, wl->unit);
	return memcmp(z.peer_map, z.want, wl->unit) != 0;
}

static int peer_hold(void *arg)
{
	touch_write(z.peer_map, wl->unit);
	pipe_hold(z.pipe, z.peer_map, PAGE);
	return 0;
}

static int peer_check(void *arg)
{
	return memcmp(z.peer_map, z.want, wl->unit) != 0;
}

static int peer_unmap(void *arg)
{
	return munmap(z.peer_map, wl->unit);
}

static int peer_exec(void *arg)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 1);
	dup2(null, 2);
	/* Its usage message, and 129. */
	execl("/proc/self/exe", "rig-agent", "-", NULL);
	return errno;
}

/* --- one way each -------------------------------------------------------- */

static void hold(void)
{
	touch_write(z.p, wl->unit);
	touch_read(z.q, wl->unit);
	pipe_hold(z.pipe, z.p, PAGE);
}

static void via_munmap(struct peer *peer)
{
	hold();
	SAFE(munmap(z.p, wl->unit));
	CHECK_DATA(z.fd, z.q, z.want, wl->unit, "the second mapping");
	SAFE(munmap(z.q, wl->unit));
	peer_call(peer, peer_unmap, NULL);
}

/* A page out of the middle: a PMD has to be split for it. */
static void via_munmap_part(struct peer *peer)
{
	size_t mid = wl->unit / 2 / PAGE * PAGE;

	hold();
	SAFE(munmap(z.p + mid, PAGE));
	if (wl->unit == PMD) {
		CHECK_DATA(-1, z.p, z.want, mid, "below the hole");
		CHECK_DATA(-1, z.p + mid + PAGE, z.want + mid + PAGE,
			   PMD - mid - PAGE, "above the hole");
		SAFE(munmap(z.p, mid));
	}
}

static void via_dontneed(struct peer *peer)
{
	hold();
	for (int i = 0; i < 3; i++) {
		SAFE(madvise(z.p, wl->unit, MADV_DONTNEED));
		CHECK_DATA(-1, z.p, z.want, wl->unit, "refaulted, round %d", i);
	}
	SAFE(madvise(z.q, wl->unit, MADV_DONTNEED));
	/* Part of a PMD. */
	SAFE(madvise(z.p + wl->unit / 2 / PAGE * PAGE, PAGE, MADV_DONTNEED));
}

static void via_mremap_move(struct peer *peer)
{
	char *to = dax_map_flags(-1, 0, wl->unit * 3, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS);

	hold();
	z.p = SAFE(mremap(z.p, wl->unit, wl->unit,
			  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	CHECK_DATA(-1, z.p, z.want, wl->unit, "moved");
	/* To an address that no PMD can have. */
	z.p = SAFE(mremap(z.p, wl->unit, wl->unit,
			  MREMAP_MAYMOVE | MREMAP_FIXED, to + wl->unit + PAGE));
	CHECK_DATA(-1, z.p, z.want, wl->unit, "moved off alignment");
}

static void via_mremap_shrink(struct peer *peer)
{
	char *p = dax_map(z.fd, 0, z.len, PROT_READ | PROT_WRITE);

	touch_write(p, z.len);
	pipe_hold(z.pipe, p, PAGE);
	SAFE(mremap(p, z.len, wl->unit, 0));
	CHECK_DATA(-1, p, z.want, wl->unit, "what is left of the mapping");
	if (wl->unit == PMD) {
		SAFE(mremap(p, wl->unit, PMD / 2, 0));
		CHECK_DATA(-1, p, z.want, PMD / 2, "half of the PMD");
	}
	SAFE(munmap(p, wl->unit == PMD ? PMD / 2 : PAGE));
}

static void via_exit(struct peer *peer)
{
	peer_call(peer, peer_hold, NULL);
	CHECK(peer_end(peer) == 0, "a process with a referenced page exits");
}

static void via_kill(struct peer *peer)
{
	int status;

	peer_call(peer, peer_hold, NULL);
	kill(peer->pid, SIGKILL);
	status = peer_end(peer);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "a process with a referenced page is killed");
}

static void via_exec(struct peer *peer)
{
	int status;

	peer_call(peer, peer_hold, NULL);
	peer_send(peer, peer_exec, NULL);
	status = peer_end(peer);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 129,
	      "a process with a referenced page becomes another program");
}

/* Both processes have the page table entries; @child_first leaves first. */
static void via_fork(bool child_first)
{
	char *p = dax_map_flags(z.fd, 0, wl->unit, PROT_READ | PROT_WRITE,
				MAP_SHARED);
	int go[2], status;
	pid_t pid;

	touch_write(p, wl->unit);
	pipe_hold(z.pipe, p, PAGE);
	SAFE(pipe2(go, O_CLOEXEC));
	pid = SAFE(fork());
	if (!pid) {
		int bad;
		char c;

		close(go[1]);
		if (!child_first && read(go[0], &c, 1) < 0)
			_exit(2);
		bad = memcmp(p, z.want, wl->unit) != 0;
		/* Its stores are the parent's. */
		memcpy(p + wl->unit - 8, "of child", 8);
		_exit(bad);
	}
	if (!child_first)
		SAFE(munmap(p, wl->unit));
	close(go[1]);
	SAFE(waitpid(pid, &status, 0));
	memcpy(z.want + wl->unit - 8, "of child", 8);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "the child reads what the file holds (%#x)", status);
	if (child_first) {
		CHECK_DATA(-1, p, z.want, wl->unit, "after the child is gone");
		SAFE(munmap(p, wl->unit));
	}
}

/* Private: some pages still the file's, some copies, in both processes. */
static void via_fork_private(void)
{
	char *p = dax_map_flags(z.fd, 0, wl->unit, PROT_READ | PROT_WRITE,
				MAP_PRIVATE);
	char *want = buffer(wl->unit);
	int status;
	pid_t pid;

	touch_read(p, wl->unit);
	pipe_hold(z.pipe, p, PAGE);
	memcpy(want, z.want, wl->unit);
	memcpy(p + wl->unit - 8, "private.", 8);
	memcpy(want + wl->unit - 8, "private.", 8);
	pid = SAFE(fork());
	if (!pid) {
		memcpy(p, "child", 5);
		memcpy(want, "child", 5);
		_exit(memcmp(p, want, wl->unit) != 0);
	}
	SAFE(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "the child reads its own copies (%#x)", status);
	CHECK_DATA(z.fd, NULL, z.want, wl->unit, "the file below the copies");
	CHECK_DATA(-1, p, want, wl->unit, "the parent's copies");
	SAFE(munmap(p, wl->unit));
}

static void via_mprotect_none(struct peer *peer)
{
	hold();
	SAFE(mprotect(z.p, wl->unit, PROT_NONE));
	CHECK(try_access(z.p, false) == SIGSEGV, "PROT_NONE lets nobody read");
	SAFE(mprotect(z.p, wl->unit, PROT_READ));
	CHECK_DATA(-1, z.p, z.want, wl->unit, "made readable again");
	CHECK(try_access(z.p, true) == SIGSEGV, "PROT_READ lets nobody write");
	SAFE(mprotect(z.p, wl->unit, PROT_READ | PROT_WRITE));
	CHECK(try_access(z.p, true) == 0, "made writable again");
}

static void via_mprotect_part(struct peer *peer)
{
	size_t mid = wl->unit / 2 / PAGE * PAGE;

	hold();
	SAFE(mprotect(z.p + mid, PAGE, PROT_NONE));
	CHECK(try_access(z.p + mid, false) == SIGSEGV,
	      "PROT_NONE on one page lets nobody read it");
	CHECK_DATA(-1, z.p, z.want, mid, "below it");
	SAFE(mprotect(z.p + mid, PAGE, PROT_READ | PROT_WRITE));
	CHECK_DATA(-1, z.p, z.want, wl->unit, "made accessible again");
}

/* Cut off the second unit under a reference on it, in the middle of a page. */
static int cut_part(void *arg)
{
	return ftruncate(z.fd, wl->unit + 100) < 0 ? errno : 0;
}

static void via_truncate_partial(struct peer *peer)
{
	char *p = dax_map(z.fd, wl->unit, wl->unit, PROT_READ | PROT_WRITE);
	struct attempt a;
	int ret = -1;

	touch_write(p, wl->unit);
	pipe_hold(z.pipe, p + wl->unit - PAGE, PAGE);
	attempt_start(&a, "ftruncate", cut_part, NULL);
	CHECK(attempt_blocks(&a), "cutting a referenced page off waits");
	CHECK(pipe_drop(z.pipe, z.want + z.len - PAGE, PAGE),
	      "the reference reads what the file held");
	if (CHECK(attempt_wait(&a, 5, &ret), "and ends without it"))
		CHECK(ret == 0, "and succeeds: %s", strerror(ret));
	attempt_end(&a);
	memset(z.want + wl->unit + 100, 0, wl->unit - 100);
	SAFE(ftruncate(z.fd, z.len));
	CHECK_DATA(z.fd, NULL, z.want, z.len, "cut and grown again");
	CHECK_DATA(-1, p, z.want + wl->unit, wl->unit, "and its mapping");
	SAFE(munmap(p, wl->unit));
	hold();
}

/* Advice that says nothing of a page that is not on any LRU list. */
static void via_advice(int advice, const char *name)
{
	hold();
	if (madvise(z.p, wl->unit, advice) == 0)
		/* Part of a PMD: its folio must not be taken apart. */
		SAFE(madvise(z.p, PAGE, advice));
	else
		CHECK(errno == EINVAL, "%s is taken or refused: %s", name,
		      strerror(errno));
	CHECK_DATA(-1, z.p, z.want, wl->unit, "after %s", name);
}

/* --- the frame ----------------------------------------------------------- */

static int cut(void *arg)
{
	return ftruncate(z.fd, 0) < 0 ? errno : 0;
}

static void run(void)
{
	struct attempt a;
	struct peer peer;
	int ret = -1;

	z.len = 2 * wl->unit;
	z.fd = dax_file("victim", z.len, 1);
	z.want = buffer_shared(z.len);
	fill(z.want, z.len, 1, 0);
	SAFE(pipe2(z.pipe, O_CLOEXEC));
	dax_map(z.fd, wl->unit, PAGE, PROT_READ);
	z.p = dax_map(z.fd, 0, wl->unit, PROT_READ | PROT_WRITE);
	z.q = dax_map(z.fd, 0, wl->unit, PROT_READ);
	peer_start(&peer);
	CHECK(peer_call(&peer, peer_map, NULL) == 0,
	      "another process reads what the file holds");

	z.peer_stays = !is("munmap") && !is("exit") && !is("kill") &&
		       !is("exec");
	if (is("munmap"))
		via_munmap(&peer);
	else if (is("munmap-part"))
		via_munmap_part(&peer);
	else if (is("dontneed"))
		via_dontneed(&peer);
	else if (is("mremap-move"))
		via_mremap_move(&peer);
	else if (is("mremap-shrink"))
		via_mremap_shrink(&peer);
	else if (is("exit"))
		via_exit(&peer);
	else if (is("kill"))
		via_kill(&peer);
	else if (is("exec"))
		via_exec(&peer);
	else if (is("fork-child-first"))
		via_fork(true);
	else if (is("fork-parent-first"))
		via_fork(false);
	else if (is("fork-private"))
		via_fork_private();
	else if (is("mprotect-none"))
		via_mprotect_none(&peer);
	else if (is("mprotect-part"))
		via_mprotect_part(&peer);
	else if (is("truncate-partial"))
		via_truncate_partial(&peer);
	else if (is("cold"))
		via_advice(MADV_COLD, "MADV_COLD");
	else if (is("pageout"))
		via_advice(MADV_PAGEOUT, "MADV_PAGEOUT");
	else if (is("free"))
		via_advice(MADV_FREE, "MADV_FREE");
	else
		BROKEN("no such variant");

	CHECK_DATA(z.fd, NULL, z.want, z.len, "the file");
	if (z.peer_stays)
		CHECK(peer_call(&peer, peer_check, NULL) == 0,
		      "the other process still reads what the file holds");
	attempt_start(&a, "ftruncate", cut, NULL);
	CHECK(attempt_blocks(&a), "truncate waits for the reference");
	CHECK(pipe_drop(z.pipe, z.want, PAGE),
	      "the reference reads what the file held");
	if (CHECK(attempt_wait(&a, 5, &ret), "truncate ends without it"))
		CHECK(ret == 0, "truncate succeeds: %s", strerror(ret));
	attempt_end(&a);
}

WORKLOAD(
	.name = "zap",
	.help = "whichever way a mapping goes, a reference stays and counts once",
	.point = "zap",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){
		"munmap", "munmap-part", "dontneed", "mremap-move",
		"mremap-shrink", "exit", "kill", "exec", "fork-child-first",
		"fork-parent-first", "fork-private", "mprotect-none",
		"mprotect-part", "truncate-partial", "cold", "pageout", "free",
		NULL },
	.run = run,
);
