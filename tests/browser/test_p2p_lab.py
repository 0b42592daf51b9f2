"""Browsers on machines that see only each other and the server: which way their messages go, and what the page says."""

import pytest

from lab import Lab, inside
from native import Native


@pytest.fixture
def lab(tmp_path):
    network = Lab(tmp_path)
    yield network
    network.close()


def talk(lab, world, hosts):
    """Ana and Ben, each at a browser on a machine of their own, with their talk open."""
    ana, ben = lab.person(hosts[0], world, "ana"), lab.person(hosts[1], world, "ben")
    ana.write_to("ben")
    ben.write_to("ana")
    return ana, ben


def goes(sender, receiver, text, how):
    sender.say(text)
    receiver.went(text, f"got-{how}")
    sender.went(text, "delivered" if how == "mailbox" else how)


@inside
def test_browsers_with_no_route_but_to_each_other_and_the_server_link_directly(lab):
    hosts = lab.host("ana"), lab.host("ben")
    ana, ben = talk(lab, lab.world(), hosts)
    for person in (ana, ben):
        person.linked("direct")
    goes(ana, ben, "straight across", "direct")
    goes(ben, ana, "and back", "direct")


@inside
def test_with_udp_blocked_between_them_a_turn_server_relays_and_the_page_says_so(lab):
    hosts = lab.host("ana"), lab.host("ben")
    world = lab.world(tracker_flags=lab.turn_flags())
    lab.turn_server()
    lab.block_udp(*hosts)
    ana, ben = talk(lab, world, hosts)
    for person in (ana, ben):
        person.linked("relayed")
    goes(ana, ben, "by way of another", "relayed")
    goes(ben, ana, "and back", "relayed")


@inside
def test_with_udp_blocked_and_no_turn_server_the_mailbox_takes_over_until_there_is_a_way(lab):
    hosts = lab.host("ana"), lab.host("ben")
    world = lab.world()
    lab.block_udp(*hosts)
    ana, ben = talk(lab, world, hosts)
    goes(ana, ben, "by the mailbox", "mailbox")
    lab.unblock(*hosts)
    ana.linked("direct")
    goes(ben, ana, "there is a way", "direct")


@inside
@pytest.mark.parametrize("way", ["direct", "relayed", "mailbox"])
def test_a_browser_and_a_terminal_take_the_same_ways(lab, tmp_path, way):
    hosts = lab.host("ana"), lab.host("tom")
    world = lab.world(tracker_flags=lab.turn_flags() if way == "relayed" else [])
    if way == "relayed":
        lab.turn_server()
    if way != "direct":
        lab.block_udp(*hosts)
    ana = lab.person(hosts[0], world, "ana")
    ana.register("tom")
    ana.login("ana").enter()
    tom = Native(world.url, "tom", tmp_path / "tom", prefix=hosts[1].netns.prefix).start()
    try:
        ana.write_to("tom")
        if way != "mailbox":
            ana.linked(way)
            assert tom.linked("ana") == way
        ana.say("hello tom")
        assert tom.hears("hello tom")["route"] == way
        ana.went("hello tom", "delivered" if way == "mailbox" else way)
        assert tom.delivered([tom.writes("ana", "hello ana")]) == {way}
        ana.went("hello ana", f"got-{way}")
    finally:
        tom.stop()
