// Where a member looks for a ring, one place after the other.
#include "router/member/ring_fetch.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <optional>

#include <boost/asio/post.hpp>

#include "coordination/memory_store.hpp"
#include "fleet/images/edit.hpp"
#include "fleet/protocol/text.hpp"
#include "fleet/service/image_nodes.hpp"
#include "ring/interval.hpp"
#include "ring/ring_edit.hpp"
#include "router/log/log.hpp"
#include "tests/support/scripted_pages.hpp"

using namespace router;
using coordination::Create;
using coordination::MemoryStore;
using coordination::Session;
using test_support::ScriptedPages;

namespace {

constexpr const char* kMissing = "HTTP/1.1 404 Not Found\r\n\r\n";
constexpr const char* kBusy = "HTTP/1.1 503 Busy\r\n\r\n";

const std::string kPnode = "tcp://1.moray:2020", kOther = "tcp://2.moray:2020";

std::shared_ptr<const ring::Ring> some_ring() {
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, 20).even_hex();
  parts.pnodes = {kPnode};
  parts.owners.resize(20);
  return ring::Ring::make(std::move(parts));
}

/// A fleet of this member, `me`, and one that serves pages, `peer`; and a URL.
struct Lab {
  boost::asio::io_context loop;
  MemoryStore store{
      [this](std::function<void()> call) { boost::asio::post(loop, std::move(call)); }};
  const fleet::Paths paths{"f"};
  const std::shared_ptr<const ring::Ring> ring = some_ring();
  const fleet::Image image = fleet::image_of(*ring);
  std::shared_ptr<const ring::Ring> own;  // in this router's store
  ScriptedPages peer{loop, kMissing}, site{loop, kMissing};
  Log log{"test", LogLevel::fatal, STDERR_FILENO};
  std::unique_ptr<Session> session = store.connect();
  std::unique_ptr<RingFetch> rings;

  Lab() {
    for (const auto& path :
         {fleet::Paths::parent(), paths.root(), paths.state(), paths.images(), paths.roster()})
      make(path, "");
    fleet::Entry entry;
    entry.incarnation = "i1";
    entry.address = "127.0.0.1:2020";
    entry.http_port = peer.endpoint().port;
    make(paths.entry("peer"), fleet::to_text(entry));
    make(paths.entry("me"), fleet::to_text(entry));
    make(paths.entry("odd"), "{");
    FleetSettings settings{"f", "me", paths, {}};
    settings.image_url = config::image_url_from(
        "http://127.0.0.1:" + std::to_string(site.endpoint().port) + "/{digest}");
    rings = std::make_unique<RingFetch>(
        loop, settings, fleet::make_on(loop),
        [this](const std::string& digest, const fleet::RingMade& told) {
          boost::asio::post(loop, [this, digest, told] {
            const bool is_there = own != nullptr && own->digest() == digest;
            told(is_there ? own : nullptr, is_there ? "" : "it is not here");
          });
        },
        log);
    rings->session(session.get());
  }
  void make(const std::string& path, const std::string& value) {
    bool done = false;
    session->create({path, value, false, false}, [&](coordination::Outcome outcome) {
      CHECK(outcome == coordination::Outcome::done);
      done = true;
    });
    test_support::run_until(loop, [&] { return done; });
  }
  void put_chunks(const std::string& bytes) {
    bool done = false;
    fleet::put_image(*session, paths, image.digest, bytes, 0, true,
                     [&](const fleet::ImageOutcome&) { done = true; });
    test_support::run_until(loop, [&] { return done; });
  }
  std::optional<RingFetch::Fetched> fetched;
  void begin() {
    fetched.reset();
    rings->fetch(image.digest, fleet::geometry_of(*ring),
                 [this](RingFetch::Fetched told) { fetched = std::move(told); });
  }
  RingFetch::Fetched fetch() {
    begin();
    test_support::run_until(loop, [&] { return fetched.has_value(); });
    return *fetched;
  }
};

}  // namespace

TEST_CASE("ring fetch: chunks first, then a member, then the URL; the last source is known") {
  Lab lab;
  lab.peer.answers(ScriptedPages::page(lab.image.bytes));
  lab.site.answers(ScriptedPages::page(lab.image.bytes));
  REQUIRE(lab.fetch().ring != nullptr);
  CHECK(lab.rings->history().from == "peer");
  CHECK(lab.peer.asked().front().starts_with("GET /ring/" + lab.image.digest + " "));
  CHECK(lab.peer.asked().size() == 1);  // nor was this member asked by itself

  lab.peer.answers(kMissing);
  REQUIRE(lab.fetch().ring != nullptr);
  CHECK(lab.rings->history().from == "127.0.0.1");
  CHECK(lab.site.asked().front().starts_with("GET /" + lab.image.digest + " "));

  lab.put_chunks(lab.image.bytes);
  REQUIRE(lab.fetch().ring != nullptr);
  const ImageHistory& history = lab.rings->history();
  CHECK(history.from == "ZooKeeper");
  CHECK(history.digest == lab.image.digest);
  CHECK(lab.peer.asked().size() == 2);
  CHECK(std::tuple(history.chunks, history.members, history.url, history.refused) ==
        std::tuple(1, 1, 1, 0));
}

TEST_CASE("ring fetch: wrong bytes of each source are refused, counted, and named") {
  Lab lab;
  lab.put_chunks("wrong");
  lab.peer.answers(ScriptedPages::page("wrong, too"));
  lab.site.answers(ScriptedPages::page(lab.image.bytes));
  REQUIRE(lab.fetch().ring != nullptr);
  CHECK(lab.rings->history().refused == 2);

  lab.site.answers(ScriptedPages::page("and here"));
  const auto fetched = lab.fetch();
  CHECK(fetched.ring == nullptr);
  CHECK(fetched.for_good);  // wrong bytes stay wrong
  for (const char* text : {"ZooKeeper: an image ", "peer: an image ", "127.0.0.1: an image "})
    CHECK_MESSAGE(fetched.why.find(text) != std::string::npos, fetched.why);
}

TEST_CASE("ring fetch: an edit of a ring that this router has makes the one that is asked for") {
  Lab lab;
  const auto all = ring::VnodeSet::parse("3-5");
  lab.own = ring::remapped(*lab.ring, all, kOther);
  // Back again: `kOther` has nothing then, and is in the ring still.
  const auto next = ring::remapped(*lab.own, all, kPnode);
  REQUIRE(next->digest() == lab.ring->digest());
  const fleet::Edit edit{lab.own->digest(), all, fleet::Edit::Gives::pnode, kPnode};
  lab.put_chunks(fleet::image_of(edit, *next).bytes);
  const auto fetched = lab.fetch();
  REQUIRE(fetched.ring != nullptr);
  CHECK(fetched.ring->digest() == lab.ring->digest());
  const ImageHistory& history = lab.rings->history();
  CHECK(history.from == "an edit in ZooKeeper");
  CHECK(std::tuple(history.chunks, history.edits, history.members, history.refused) ==
        std::tuple(0, 1, 0, 0));
  CHECK(lab.peer.asked().empty());
}

TEST_CASE("ring fetch: a router without the edit's ring asks others, and refuses nothing") {
  Lab lab;
  const fleet::Edit edit{std::string(64, 'a'), {}, fleet::Edit::Gives::pnode, kPnode};
  lab.put_chunks(fleet::image_of(edit, *lab.ring).bytes);
  auto fetched = lab.fetch();
  CHECK(fetched.ring == nullptr);
  CHECK_FALSE(fetched.for_good);  // others may make it at this moment
  CHECK_MESSAGE(fetched.why.find("it has an edit of ring " + edit.base +
                                 ", which this router lacks (it is not here)") != std::string::npos,
                fetched.why);
  lab.peer.answers(ScriptedPages::page(lab.image.bytes));
  fetched = lab.fetch();
  REQUIRE(fetched.ring != nullptr);
  CHECK(lab.rings->history().from == "peer");
  CHECK(lab.rings->history().refused == 0);
}

TEST_CASE("ring fetch: an edit that is damaged, or makes another ring, is ZooKeeper's fault") {
  Lab lab;
  lab.own = ring::remapped(*lab.ring, ring::VnodeSet::parse("3"), kOther);
  const fleet::Edit edit{lab.own->digest(), ring::VnodeSet::parse("4"), fleet::Edit::Gives::pnode,
                         kPnode};
  const std::string bytes = fleet::image_of(edit, *lab.ring).bytes;
  for (const std::string& wrong : {bytes, bytes.substr(0, bytes.size() - 3), bytes + "x"}) {
    lab.put_chunks(wrong);
    const auto fetched = lab.fetch();
    CHECK(fetched.ring == nullptr);
    CHECK(fetched.for_good);
    CHECK_MESSAGE(fetched.why.find("ZooKeeper: an image ") != std::string::npos, fetched.why);
  }
  CHECK(lab.rings->history().refused == 3);
  // Nor does another member hand on an edit.
  lab.peer.answers(ScriptedPages::page(bytes));
  CHECK(lab.fetch().why.find("peer: an image makes its ring of ring ") != std::string::npos);
  lab.peer.answers(ScriptedPages::page(lab.image.bytes));
  CHECK(lab.fetch().ring != nullptr);
}

TEST_CASE("ring fetch: what nobody has is asked for ten times; whoever is busy has it perhaps") {
  Lab lab;
  for (int i = 1; i <= 9; ++i) CHECK_FALSE(lab.fetch().for_good);
  lab.peer.answers(kBusy);
  for (int i = 0; i < 20; ++i) CHECK_FALSE(lab.fetch().for_good);
  lab.peer.answers(kMissing);
  CHECK(lab.fetch().for_good);
}

TEST_CASE("ring fetch: without a session, or where it ends, it can be asked again") {
  Lab lab;
  lab.peer.answers(ScriptedPages::page(lab.image.bytes));
  lab.begin();
  lab.rings->session(nullptr);
  lab.session.reset();
  REQUIRE(lab.fetched.has_value());
  CHECK_FALSE(lab.fetched->for_good);
  CHECK(lab.fetch().why == "there is no session with the service");
  lab.session = lab.store.connect();
  lab.rings->session(lab.session.get());
  CHECK(lab.fetch().ring != nullptr);
}

TEST_CASE("ring fetch: one that is gone is told nothing") {
  Lab lab;
  lab.peer.answers(ScriptedPages::page(lab.image.bytes));
  lab.begin();
  test_support::run_until(lab.loop, [&] { return !lab.peer.asked().empty(); });
  lab.rings.reset();
  lab.loop.restart();
  lab.loop.run_for(std::chrono::milliseconds(1));
  while (lab.loop.poll_one() > 0) continue;
  CHECK_FALSE(lab.fetched.has_value());
}
