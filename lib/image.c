/* SPDX-License-Identifier: MIT */
/*
 * Maps a bundle, compares what the loader mapped with what was verified, and
 * unmaps it. A bundle with constructors is first loaded in a forked child, so
 * that one that crashes or waits for ever harms nobody.
 */
#include "image.h"

#include "engine.h"
#include "mapping.h"
#include "module.h"
#include "status.h"
#include "step.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * The dynamic loader's lock sees to it that what lay at an address is gone
 * before something else is mapped there. The thread sanitizer does not see
 * that lock, and would take what was written to the one for the other.
 */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
static char loader_order;
#define BEFORE_UNMAPPING() __tsan_release(&loader_order)
#define AFTER_MAPPING() __tsan_acquire(&loader_order)
#else
#define BEFORE_UNMAPPING() ((void)0)
#define AFTER_MAPPING() ((void)0)
#endif

/* How the rehearsal went. */
struct rehearsal {
	pid_t child;
	int fd; /* readable once the child's dlopen() returned */
	uint64_t deadline_ms;
	bool returned;
	bool killed; /* by us, because the time was over */
	bool reaped;
	int wait_status; /* if reaped */
};

/* Initial-exec: it is also read by code that the loader is just running. */
static __thread unsigned int callbacks
	__attribute__((tls_model("initial-exec")));

bool hp_image_in_callback(void)
{
	return callbacks != 0;
}

static void *open_object(const char *path)
{
	void *handle;

	hp_loader_enter();
	callbacks++;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	AFTER_MAPPING();
	callbacks--;
	hp_loader_leave();
	return handle;
}

static void close_object(void *handle)
{
	hp_loader_enter();
	callbacks++;
	hp_step(CLOSE_OBJECT);
	BEFORE_UNMAPPING();
	dlclose(handle);
	hp_step(OBJECT_CLOSED);
	callbacks--;
	hp_loader_leave();
}

void *hp_image_pin(const char *path)
{
	void *handle;

	hp_loader_enter();
	handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	hp_loader_leave();
	return handle;
}

void hp_image_unpin(void *handle)
{
	close_object(handle);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int left_ms(uint64_t deadline_ms)
{
	uint64_t now = now_ms();

	if (now >= deadline_ms)
		return 0;
	return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

/* The host's own exit handlers are not for the child to run. */
static void leave_child(void)
{
	_exit(1);
}

/* A crash must end the child at once, without the host's handlers or a core. */
static void prepare_child(void)
{
	static const int deadly[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
				     SIGABRT, SIGTRAP, SIGSYS};
	const struct rlimit none = {0, 0};
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	for (i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], SIG_DFL);
	atexit(leave_child);
}

/*
 * A dlopen() that returns NULL has returned, too: the parent will get the
 * loader's words itself.
 */
__attribute__((noreturn)) static void run_child(const char *path, int fd)
{
	prepare_child();
	open_object(path);
	if (write(fd, "", 1) != 1)
		_exit(1);
	_exit(0);
}

/* True once the child is gone. The host may reap it before we do. */
static bool reap(struct rehearsal *rehearsal, int flags)
{
	pid_t got;

	do {
		got = waitpid(rehearsal->child, &rehearsal->wait_status, flags);
	} while (got < 0 && errno == EINTR);
	rehearsal->reaped = got == rehearsal->child;
	return got != 0;
}

static void await_byte(struct rehearsal *rehearsal)
{
	struct pollfd wanted = {.fd = rehearsal->fd, .events = POLLIN};
	ssize_t got;
	char byte;
	int ready;

	do {
		ready = poll(&wanted, 1, left_ms(rehearsal->deadline_ms));
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return;
	do {
		got = read(rehearsal->fd, &byte, 1);
	} while (got < 0 && errno == EINTR);
	rehearsal->returned = got == 1;
}

/*
 * A child that closed its end without a word has most likely died; it has
 * until the deadline to be gone, and then it is killed.
 */
static void await_end(struct rehearsal *rehearsal)
{
	while (!reap(rehearsal, WNOHANG)) {
		if (!left_ms(rehearsal->deadline_ms)) {
			kill(rehearsal->child, SIGKILL);
			rehearsal->killed = true;
			reap(rehearsal, 0);
			return;
		}
		poll(NULL, 0, 1);
	}
}

static enum hotpatch_status start_child(const char *path,
					struct rehearsal *rehearsal,
					struct hotpatch_error *err)
{
	int cause;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		goto failed;
	rehearsal->child = fork();
	if (!rehearsal->child) {
		close(ends[0]);
		run_child(path, ends[1]);
	}
	cause = errno;
	close(ends[1]);
	rehearsal->fd = ends[0];
	if (rehearsal->child > 0)
		return HOTPATCH_OK;
	close(ends[0]);
	errno = cause;
failed:
	cause = errno;
	return hp_error(err,
			cause == ENOMEM ? HOTPATCH_E_NO_MEMORY :
					  HOTPATCH_E_CONSTRUCTOR,
			cause, path,
			"the constructors of %s could not be tried in a child "
			"process: %s",
			path, strerror(cause));
}

static enum hotpatch_status judge(const struct rehearsal *rehearsal,
				  const char *name, unsigned int rehearsal_ms,
				  struct hotpatch_error *err)
{
	int status = rehearsal->wait_status;

	if (rehearsal->returned)
		return HOTPATCH_OK;
	if (rehearsal->killed)
		return hp_error(err, HOTPATCH_E_CONSTRUCTOR, 0, name,
				"the constructors of %s did not return within "
				"%u ms",
				name, rehearsal_ms);
	if (rehearsal->reaped && WIFSIGNALED(status))
		return hp_error(err, HOTPATCH_E_CONSTRUCTOR, 0, name,
				"a constructor of %s died of signal %d (%s)",
				name, WTERMSIG(status),
				strsignal(WTERMSIG(status)));
	return hp_error(err, HOTPATCH_E_CONSTRUCTOR, 0, name,
			"a constructor of %s ended the process", name);
}

static enum hotpatch_status rehearse(const char *path, const char *name,
				     unsigned int rehearsal_ms,
				     struct hotpatch_error *err)
{
	struct rehearsal rehearsal = {
		.deadline_ms = now_ms() + rehearsal_ms,
	};
	enum hotpatch_status status;

	status = start_child(path, &rehearsal, err);
	if (status != HOTPATCH_OK)
		return status;
	await_byte(&rehearsal);
	await_end(&rehearsal);
	close(rehearsal.fd);
	return judge(&rehearsal, name, rehearsal_ms, err);
}

static void measure(struct hp_mapping *mapping)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const ElfW(Phdr) *segment;
	uintptr_t start;
	uintptr_t stop;
	size_t i;

	mapping->start = UINTPTR_MAX;
	mapping->stop = 0;
	for (i = 0; i < mapping->segment_count; i++) {
		segment = &mapping->segments[i];
		if (segment->p_type != PT_LOAD)
			continue;
		start = mapping->base + segment->p_vaddr;
		stop = start + segment->p_memsz;
		start &= ~(page - 1);
		stop = (stop + page - 1) & ~(page - 1);
		if (start < mapping->start)
			mapping->start = start;
		if (stop > mapping->stop)
			mapping->stop = stop;
	}
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *data)
{
	struct hp_mapping *mapping = data;

	(void)size;
	if (!info->dlpi_name || strcmp(info->dlpi_name, mapping->path) != 0)
		return 0;
	mapping->found = true;
	mapping->base = info->dlpi_addr;
	mapping->segments = info->dlpi_phdr;
	mapping->segment_count = info->dlpi_phnum;
	measure(mapping);
	return 1;
}

/* True if the loader knows an object of the mapping's path. */
static bool find_mapping(struct hp_mapping *mapping)
{
	mapping->found = false;
	hp_loader_enter();
	hp_module_walk(visit_object, mapping);
	hp_loader_leave();
	return mapping->found;
}

static void read_build_id(const struct hp_mapping *mapping,
			  char build_id[HOTPATCH_BUILD_ID_SIZE])
{
	const ElfW(Phdr) *segment;
	struct hp_note_walk walk;
	struct hp_note note;
	uintptr_t place;
	size_t i;

	build_id[0] = '\0';
	for (i = 0; i < mapping->segment_count; i++) {
		segment = &mapping->segments[i];
		place = mapping->base + segment->p_vaddr;
		if (segment->p_type != PT_NOTE ||
		    !hp_mapping_has(mapping, place, segment->p_memsz, PF_R))
			continue;
		walk.at = (const unsigned char *)place;
		walk.left = segment->p_memsz;
		walk.alignment = segment->p_align;
		while (hp_note_next(&walk, &note))
			if (hp_note_is(&note, "GNU", NT_GNU_BUILD_ID))
				hp_note_build_id(&note, build_id);
	}
}

static enum hotpatch_status swapped(const char *path, const char *what,
				    struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_SWAPPED, 0, path,
			"%s as it was mapped %s", path, what);
}

static enum hotpatch_status check_image(void *handle,
					const struct hp_manifest *manifest,
					struct hp_mapping *mapping,
					struct hotpatch_bundle **bundle,
					struct hotpatch_error *err)
{
	char build_id[HOTPATCH_BUILD_ID_SIZE];

	if (!find_mapping(mapping))
		return swapped(mapping->path, "has another name", err);
	read_build_id(mapping, build_id);
	if (strcmp(build_id, manifest->build_id) != 0)
		return swapped(mapping->path, "has another build-id", err);
	*bundle = dlsym(handle, HOTPATCH_BUNDLE_SYMBOL);
	return hp_records_check(mapping, *bundle, manifest, err);
}

enum hotpatch_status hp_image_load(const char *path,
				   const struct hp_manifest *manifest,
				   unsigned int rehearsal_ms,
				   struct hp_image *image,
				   struct hotpatch_error *err)
{
	struct hp_mapping mapping = {.path = path};
	struct hotpatch_bundle *bundle = NULL;
	enum hotpatch_status status;
	void *handle;

	if (strlen(path) >= sizeof(image->path))
		return hp_error(err, HOTPATCH_E_LOAD, ENAMETOOLONG, path,
				"%s is too long a path", path);
	if (manifest->constructors) {
		status = rehearse(path, manifest->name, rehearsal_ms, err);
		if (status != HOTPATCH_OK)
			return status;
	}
	handle = open_object(path);
	if (!handle)
		return hp_error(err, HOTPATCH_E_LOAD, 0, manifest->name,
				"%s was not loaded: %s", manifest->name,
				dlerror());
	status = check_image(handle, manifest, &mapping, &bundle, err);
	if (status != HOTPATCH_OK) {
		close_object(handle);
		return status;
	}
	image->handle = handle;
	image->start = mapping.start;
	image->stop = mapping.stop;
	image->bundle = bundle;
	strcpy(image->path, path);
	return HOTPATCH_OK;
}

/*
 * The names that an image wants from others stand first among its dynamic
 * symbols; the second word of the GNU hash table tells how many they are.
 */
static bool imports(const struct hp_image *image, const char *wanted)
{
	const ElfW(Sym) *symbols = NULL;
	const ElfW(Dyn) *entry;
	const char *names = NULL;
	const uint32_t *hash = NULL;
	struct link_map *map;
	uint32_t i;

	if (dlinfo(image->handle, RTLD_DI_LINKMAP, &map) != 0)
		return true;
	for (entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SYMTAB)
			symbols = (const ElfW(Sym) *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_STRTAB)
			names = (const char *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_GNU_HASH)
			hash = (const uint32_t *)entry->d_un.d_ptr;
	}
	if (!symbols || !names || !hash)
		return true;
	for (i = 1; i < hash[1]; i++)
		if (symbols[i].st_shndx == SHN_UNDEF &&
		    !strcmp(names + symbols[i].st_name, wanted))
			return true;
	return false;
}

bool hp_image_makes_keys(const struct hp_image *image)
{
	return imports(image, "pthread_key_create") ||
	       imports(image, "tss_create");
}

enum hotpatch_status hp_image_unload(struct hp_image *image,
				     struct hotpatch_error *err)
{
	struct hp_mapping mapping = {.path = image->path};

	close_object(image->handle);
	image->handle = NULL;
	image->bundle = NULL;
	/* Another object may already lie at the same place. */
	if (!find_mapping(&mapping) || mapping.start != image->start)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_RETAINED, 0, image->path,
			"%s stays mapped: it has a unique symbol, a "
			"thread-local destructor that is yet to run, or "
			"somebody else holds a handle of it",
			image->path);
}
