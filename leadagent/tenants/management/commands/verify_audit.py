"""`manage.py verify_audit`: prove that the audit log is what was written. Exit code 1 where it is not."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leadagent.progress import Progress
from leadagent.tenants.audit_trail.heads import KeptHeads, line_of, name_of, read_heads, slugs_by_chain
from leadagent.tenants.audit_trail.verify import Break, all_chains, prove_chain, unprotected
from leadagent.tenants.models import AuditChain, Organization


class Command(BaseCommand):
    help = (
        "Recompute every chain of the audit log, say where one is broken, and print each chain's head. "
        "Keep the output elsewhere: with --expect it proves later that nothing before it was rewritten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only the chain of this organisation")
        parser.add_argument("--expect", metavar="FILE", type=Path, help="earlier output, or the log of the daily task")

    def handle(self, *args: Any, organization: str | None, expect: Path | None, **options: Any) -> None:
        kept = self._kept(expect)
        chains = self._chains(organization, kept)
        slugs = slugs_by_chain(chains)
        count = 0
        for found in unprotected():
            count += 1
            self.stdout.write(f"BROKEN {found.kind}: {found.detail}")
        for chain_id in chains:
            count += self._prove(chain_id, slugs, kept)
        if count:
            raise CommandError(f"The audit log is not what was written: {_counted(count, 'break')}.", returncode=1)
        self.stdout.write(self.style.SUCCESS(f"The audit log is intact: {_counted(len(chains), 'chain')}."))

    def _prove(self, chain_id: int, slugs: dict[int, str], kept: KeptHeads | None) -> int:
        """Print what one chain is; the number of its breaks."""
        name = name_of(chain_id, slugs)
        kept_here = kept.get(chain_id) if kept is not None else None
        progress = Progress(self.stderr, f"entries of {name}")
        proof = prove_chain(chain_id, kept=kept_here, progress=progress.show)
        progress.clear()
        for found in proof.breaks:
            self.stdout.write(f"BROKEN {name} {_where(found)}{found.kind}: {found.detail}")
        if proof.break_count > len(proof.breaks):
            self.stdout.write(f"BROKEN {name} and {_counted(proof.break_count - len(proof.breaks), 'more break')}")
        if not proof.break_count:
            self.stdout.write("OK " + line_of(AuditChain(id=chain_id, length=proof.length, head=proof.head), slugs))
        return proof.break_count

    def _kept(self, expect: Path | None) -> KeptHeads | None:
        if expect is None:
            return None
        try:
            with expect.open(encoding="utf-8") as lines:
                kept = read_heads(lines)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{expect} cannot be read: {error}") from None
        if not kept:
            raise CommandError(f"{expect} holds no heads: give it earlier output of this command.")
        return kept

    def _chains(self, slug: str | None, kept: KeptHeads | None) -> list[int]:
        if slug is None:
            # A chain that was kept and is gone altogether is a break too.
            return sorted({*all_chains(), *(kept or {})})
        organization = Organization.objects.filter(slug=slug).first()
        if organization is None:
            raise CommandError(f"There is no organisation with the address {slug!r}.")
        return [organization.pk]


def _where(found: Break) -> str:
    return f"entry {found.position}: " if found.position else ""


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
