/* SPDX-License-Identifier: MIT */
/*
 * The command hotpatch: runs one command and turns its status into output and
 * an exit code.
 */
#include "tool.h"

#include "../status.h"

#include <hotpatch/version.h>
#include <signal.h>
#include <stdio.h>

static const char usage[] =
	"usage: hotpatch [PROCESS] [--json] COMMAND\n"
	"\n"
	"PROCESS, if there is more than one:\n"
	"  --pid N              the process of this number\n"
	"  --socket PATH        the one that listens there\n"
	"  --program NAME       each that runs this program\n"
	"  --unit NAME          each of this unit of systemd's\n"
	"  --all                each that has a socket\n"
	"\n"
	"  list                 patchable functions and what they run\n"
	"  status               patches, and who is in the way\n"
	"  apply FILE           load a bundle and move every task to it\n"
	"  canary NAME SHARE    show it to another share, such as 25%, or to all\n"
	"  revert NAME          move every task away, and unmap the code\n"
	"  revert --all-patches the same for each that is active\n"
	"  wait NAME            wait for a patch to get somewhere\n"
	"  enable FILE          record a bundle as desired: each start applies it\n"
	"  disable NAME         desire it no more; also --all\n"
	"  converge             apply what is desired and not active\n"
	"  verify               is what runs what should run\n"
	"  log                  what happened in the process, as it has it\n"
	"  log --verify FILE    is a log whole, and where is it broken\n"
	"  metrics              figures as OpenMetrics\n"
	"  inspect FILE         what a bundle says of itself\n"
	"  keygen NAME          make a key pair, NAME.key and NAME.pub\n"
	"  sign FILE            write FILE.minisig\n"
	"  verify-signature FILE\n"
	"  seal FILE            compare a bundle with its builds and complete it\n"
	"  check FILE           hotpatchable, restart-required or for another build\n"
	"  assess FILE          which functions of a program can be patched\n"
	"  help, version\n"
	"\n"
	"apply, revert:\n"
	"  --timeout SECONDS    deadline, 10 by default, 0 for none\n"
	"  --policy POLICY      then: reverse (default), wait or force\n"
	"  --adopt-sleepers     let sleeping threads count as moved then\n"
	"  --rendezvous SECONDS how long tasks may wait for one another (0.1)\n"
	"  --wait=GOAL          active, drained, unmapped, healthy or none\n"
	"  --dry-run            only check, and change nothing\n"
	"apply:\n"
	"  --allow-constructors run the bundle's constructors\n"
	"  --signature FILE     instead of the one beside the bundle\n"
	"  --rollback           also if a newer bundle was accepted\n"
	"  --forgive            although it is in quarantine\n"
	"  --keep               and record it as desired\n"
	"  --probation SECONDS  take it back if the process is not well so long\n"
	"  --verify COMMAND     ask that, too; exit 0 is well\n"
	"  --health-errors N    allow N more failures of 10000 requests\n"
	"  --health-latency P   allow requests P percent of their time before\n"
	"  --health-tail P      the same for 99 of 100 requests\n"
	"enable, disable:\n"
	"  --now                and apply it, or revert it\n"
	"  --directory DIR      of --program NAME, which need not run\n"
	"converge:\n"
	"  --exact              and revert what is not desired\n"
	"  --dry-run            only say what would be done\n"
	"  --canary SHARE       show it to a share of all keys, such as 5%, first\n"
	"apply, canary:\n"
	"  --canary-key N       and to this key\n"
	"wait:\n"
	"  --wait=GOAL          active, drained (default), unmapped or healthy\n"
	"  --timeout SECONDS    10 by default, 0 for none\n"
	"log:\n"
	"  --follow             and what happens from now on\n"
	"metrics:\n"
	"  --output FILE        into a file for a node exporter, in one step\n"
	"keygen, sign, verify-signature:\n"
	"  --key FILE           the secret key; to verify, a public one\n"
	"  --keys DIRECTORY     to verify: every *.pub in it\n"
	"  --password-file FILE of the secret key, else asked for\n"
	"  --no-password        keygen: do not encrypt the secret key\n"
	"  --comment TEXT       sign: what is signed along\n"
	"  --signature FILE     instead of FILE.minisig\n"
	"seal, check, assess:\n"
	"  --target PATH        the build it is for; of seal several, of check\n"
	"                       also a process's number\n"
	"  --debug-dir DIR      where else debugging information lies\n"
	"seal:\n"
	"  --output FILE        write there, not in place\n"
	"  --dry-run            write nothing\n"
	"  --sign KEY           sign what was written, as sign --key does\n"
	"  --explain NAME       why it was refused or included\n"
	"  --allow REASON:NAME  accept what was refused; it is recorded\n"
	"\n"
	"exit: 0 as wished, 1 failed and undone, 2 usage, 3 not eligible,\n"
	"  4 not authentic, 5 not drained in time, 6 not healthy and taken back,\n"
	"  7 process unreachable, 8 no process\n";

enum hotpatch_status hp_command_help(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	json_t *object;

	(void)err;
	if (!options->json) {
		fputs(usage, stdout);
		return HOTPATCH_OK;
	}
	object = hp_options_report();
	json_object_set_new(object, "usage", json_string(usage));
	hp_print_json(object);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_command_version(const struct hp_options *options,
					struct hotpatch_error *err)
{
	(void)err;
	if (options->json)
		hp_print_json(
			json_pack("{s:s}", "version", hotpatch_version()));
	else
		hp_print("hotpatch %s\n", hotpatch_version());
	return HOTPATCH_OK;
}

static enum hotpatch_status flush(struct hotpatch_error *err)
{
	if (!fflush(stdout) && !ferror(stdout))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_IO, 0, "standard output",
			"The output could not be written.");
}

int main(int argc, char **argv)
{
	struct hp_options options;
	struct hotpatch_error err = {0};
	enum hotpatch_status status;
	int code;

	signal(SIGPIPE, SIG_IGN);
	status = hp_options_parse(argc, argv, &options, &err);
	if (!status)
		status = options.command->run(&options, &err);
	if (status)
		hp_print_error(&err, options.json);
	if (flush(&err)) {
		status = HOTPATCH_E_IO;
		hp_print_error(&err, false);
	}
	code = hp_exit_code(status);
	return code < 0 ? 1 : code;
}
