"""What happens to a group, and what has to hold throughout."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from checks import Commits, Failure, check_order, count, ends, missing
from harness.broker import Broker
from members import PARTITIONS, SECONDS_MAX, TOPIC, Member, Writer, use_confluent_kafka

GROUP = "members"
OUTAGE_SECONDS = 0.5
PROTOCOLS = {
    "java": ("eager", "cooperative", "consumer"),
    "confluent-kafka": ("eager", "cooperative", "consumer"),
    "franz-go": ("eager", "cooperative", "consumer"),
    "sarama": ("eager", "cooperative"),
    "kafka-go": ("eager",),
    "kafka-python": ("eager", "cooperative"),
    "aiokafka": ("eager",),
    "kafkajs": ("eager",),
}
"""What each client offers."""
STATIC = {"java", "confluent-kafka", "franz-go", "sarama", "kafka-python", "aiokafka"}
"""Clients that have static ids."""
UPGRADES = {"java": ("eager", "cooperative"), "confluent-kafka": ("eager",), "franz-go": ("eager", "cooperative")}
"""From where clients can be upgraded while the group lives. The coordinator refuses assignors that keep data of their own in
subscriptions, as librdkafka's cooperative one does (GROUP_ID_NOT_FOUND, from Kafka as well)."""
REPEATS = {"kafkajs", "kafka-go"}
"""Clients that cannot hand over exactly once: what they have in hand when a rebalance begins is given to the next as well."""
SILENT = {"kafka-go"}
"""Clients that do not say which partitions they have."""


class Run:
    """A group of one client's members, and what happens to them."""

    def __init__(self, client: str, command: list[str], protocol: str, broker: Broker, session_ms: int) -> None:
        self.client = client
        self.command = command
        self.protocol = protocol
        self.broker = broker
        self.session_ms = session_ms
        self.commits = Commits()
        self.members: list[Member] = []
        self.alive: list[Member] = []
        self.longest = 0.0

    def join(self, instance: str = "", protocol: str = "") -> Member:
        options = {"bootstrap": self.broker.address, "topic": TOPIC, "group": GROUP, "protocol": protocol or self.protocol,
                   "session-ms": str(self.session_ms), "heartbeat-ms": "250"}
        if instance:
            options["instance"] = instance
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        member = Member([*self.command, *words], f"{self.client} {len(self.members) + 1}", instance, self.commits)
        self.members.append(member)
        self.alive.append(member)
        return member

    def leave(self, *members: Member) -> None:
        for member in members:
            self.alive.remove(member)
            member.leave()

    def end(self) -> None:
        """All that are left leave at once."""
        for member in self.alive:
            member.signal(signal.SIGTERM)
        self.leave(*self.alive)

    def crash(self, member: Member) -> None:
        self.alive.remove(member)
        member.kill()

    def balanced(self) -> bool:
        """Whether the members that are alive have all partitions among them, each as many as any other but for one."""
        if self.client in SILENT:
            return all(member.records for member in self.alive)
        parts = [member.owned for member in self.alive]
        sizes = [len(part) for part in parts]
        return sum(sizes) == PARTITIONS == len(set().union(*parts)) and max(sizes) - min(sizes) <= 1

    def settle(self, what: str, supervised: bool = False) -> None:
        """Waits until everybody has partitions, and then until everybody has got a record of them."""
        began = time.monotonic()
        self.until(self.balanced, f"{what}: no balance", supervised)
        # On a busy machine most of the time may be that of starting the processes, which is nobody's here.
        began = max([began, *(member.up for member in self.alive)])
        self.longest = max(self.longest, time.monotonic() - began)
        counts = {id(member): len(member.records) for member in self.alive}
        self.until(lambda: all(len(it.records) > counts[id(it)] for it in self.alive), f"{what}: a member is idle")

    def drain(self, ends: dict[int, int]) -> None:
        """Waits until all that was written was delivered."""
        self.until(lambda: not missing(self.members, ends), "records are missing", pause=0.5)

    def until(self, condition: Callable[[], bool], what: str, supervised: bool = False, pause: float = 0.02) -> None:
        """Waits for something that has to happen. A supervised member that ends is started again, as a service would be."""
        deadline = time.monotonic() + SECONDS_MAX
        while not condition():
            for member in list(self.alive):
                if member.process.poll() is None:
                    continue
                if not supervised:
                    raise Failure(f"{what}: {member.name} ended with {member.process.returncode}: {member.said()}")
                self.alive.remove(member)
                self.join(member.instance)
            if time.monotonic() > deadline:
                raise Failure(f"{what}: {[sorted(member.owned) for member in self.alive]}")
            time.sleep(pause)

    def group_type(self) -> str:
        """What kind of group the coordinator says it is."""
        use_confluent_kafka()
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self.broker.address, "log_level": 2})
        listed = admin.list_consumer_groups(request_timeout=SECONDS_MAX).result()
        return next(group.type.name.lower() for group in listed.valid if group.group_id == GROUP)

    def verify(self, may_repeat: bool) -> tuple[int, int]:
        """Order within each member and assignment, and nothing again that was committed; how many records there were, and how many
        came again."""
        for member in self.members:
            if member.progress.problems:
                raise Failure(f"{member.name} {member.progress.problems[0]}, and {len(member.progress.problems) - 1} more such")
        if self.client not in SILENT:
            for member in self.members:
                check_order(member)
        return count(self.members, may_repeat or self.client in REPEATS)


def handovers(run: Run) -> None:
    """Members come one by one and together, up to eight, and leave the same way."""
    first = run.join()
    run.settle("one member")
    second = run.join()
    run.settle("a second member")
    third, fourth = run.join(), run.join()
    run.settle("four members")
    fifth, sixth, seventh, _ = [run.join() for _ in range(4)]
    run.settle("eight members")
    run.leave(first)
    run.settle("the first has left")
    run.join()
    run.leave(second, third)
    run.settle("one comes and two leave")
    run.leave(fourth, fifth, sixth, seventh)
    run.settle("two are left")


def returns(run: Run) -> None:
    """Members with static ids end and are started again within their sessions: the others notice nothing."""
    members = [run.join(f"static-{number}") for number in range(3)]
    run.settle("three members")
    others = [member.changes for member in members[1:]]
    before = members[0].owned
    run.leave(members[0])
    members[0] = run.join("static-0")
    run.settle("a member is back")
    if members[0].owned != before:
        raise Failure(f"{sorted(before)} became {sorted(members[0].owned)}")
    if others != [member.changes for member in members[1:]]:
        raise Failure("the others were rebalanced")
    run.verify(may_repeat=False)
    run.crash(members[0])
    run.join("static-0")
    # The consumer protocol refuses it until its predecessor is given up; clients end then.
    run.settle("a killed member is back", supervised=run.protocol == "consumer")


def crashes(run: Run) -> None:
    """Members vanish, stall and return; the broker is killed."""
    static = run.client in STATIC and run.protocol != "consumer"
    names = [f"static-{number}" if static and number % 2 == 0 else "" for number in range(4)]
    members = [run.join(name) for name in names]
    run.settle("four members")
    run.crash(members[0])
    members[0] = run.join(names[0])
    run.settle("a killed member is back")
    run.crash(members[1])
    run.settle("a killed member is given up")
    run.broker.kill()
    time.sleep(OUTAGE_SECONDS)
    run.broker.start()
    run.settle("the broker is back")
    # Longer than their sessions: the other takes over, and they have to notice when they go on.
    for member in members[2:]:
        member.signal(signal.SIGSTOP)
        run.alive.remove(member)
    run.settle("stalled members are given up")
    for member in members[2:]:
        member.signal(signal.SIGCONT)
        run.alive.append(member)
    run.settle("stalled members go on")
    run.join()
    run.broker.kill()
    run.broker.start()
    run.settle("the broker is back while one joins")


def upgrades(run: Run) -> None:
    """Members of the classic protocol are replaced by ones of the consumer protocol, one by one, and back again."""
    members = [run.join() for _ in range(3)]
    run.settle("three classic members")
    for protocol, kind in (("consumer", "consumer"), (run.protocol, "classic")):
        for at, member in enumerate(members):
            run.leave(member)
            members[at] = run.join(protocol=protocol)
            run.settle(f"{at + 1} members of {protocol}")
        if run.group_type() != kind:
            raise Failure(f"the group is {run.group_type()} with {protocol} members")
    # And with both kinds growing at a time.
    members += [run.join(protocol="consumer"), run.join()]
    run.settle("both kinds come")
    run.leave(*members[:3])
    run.settle("both kinds stay")


@dataclass(frozen=True)
class Scenario:
    """What happens, to whom it can happen, and what it promises."""

    play: Callable[[Run], None]
    session_ms: int = 6_000
    exactly_once: bool = False

    @property
    def name(self) -> str:
        return self.play.__name__

    def fits(self, client: str, protocol: str) -> bool:
        """Whether a client can do that."""
        if protocol not in PROTOCOLS[client]:
            return False
        if self.play is returns:
            return client in STATIC
        if self.play is upgrades:
            return protocol in UPGRADES.get(client, ())
        return True


SCENARIOS = [
    # Where nobody vanishes, sessions are long enough for the busiest machine.
    Scenario(handovers, session_ms=45_000, exactly_once=True),
    Scenario(returns, session_ms=45_000),
    Scenario(crashes),
    Scenario(upgrades, session_ms=45_000, exactly_once=True),
]


def play(scenario: Scenario, run: Run) -> tuple[int, int]:
    """Plays a scenario under a continuous producer; how many records there were, and how many came again."""
    try:
        writer = Writer(run.broker.address)
        writer.start()
        scenario.play(run)
        writer.stop()
        run.drain(ends(writer.acknowledged))
        run.end()
        counts = run.verify(may_repeat=not scenario.exactly_once)
        if not run.broker.running():
            raise Failure(f"the broker ended:\n{run.broker.log_tail()}")
        return counts
    finally:
        for member in run.members:
            member.kill()
