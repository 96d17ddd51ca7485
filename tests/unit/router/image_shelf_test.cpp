// What a member lends of its rings, and to how many.
#include "router/member/image_shelf.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "fleet/images/image.hpp"
#include "ring/interval.hpp"

using namespace router;
using Lent = ImageShelf::Lent;
using Kind = ImageShelf::Outcome;

namespace {

std::shared_ptr<const ring::Ring> some_ring() {
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, 20).even_hex();
  parts.pnodes = {"tcp://1.moray:2020"};
  parts.owners.resize(20);
  return ring::Ring::make(std::move(parts));
}

/// A control that answers when it is told to.
struct Lab {
  using Ring = std::shared_ptr<const ring::Ring>;
  const Ring ring = some_ring();
  std::vector<Done<Ring>> asked;
  std::unique_ptr<ImageShelf> shelf = std::make_unique<ImageShelf>(
      [this](const std::string&, Done<Ring> done) { asked.push_back(std::move(done)); });
  std::vector<Lent> lent;

  void ask() { ask(ring->digest()); }
  void ask(const std::string& digest) {
    shelf->lend(digest, [this](Lent told) { lent.push_back(std::move(told)); });
  }
  void answer(const router::Outcome<Ring>& outcome) {
    const auto done = std::move(asked.front());
    asked.erase(asked.begin());
    done(outcome);
  }
};

}  // namespace

TEST_CASE("image shelf: an image is made once, and is the ring's") {
  Lab lab;
  lab.ask();
  REQUIRE(lab.asked.size() == 1);
  lab.answer(lab.ring);
  REQUIRE(lab.lent.size() == 1);
  CHECK(lab.lent[0].outcome == Kind::lent);
  CHECK(*lab.lent[0].bytes == fleet::image_of(*lab.ring).bytes);
  lab.ask();
  CHECK(lab.asked.empty());
  REQUIRE(lab.lent.size() == 2);
  CHECK(lab.lent[1].bytes.get() == lab.lent[0].bytes.get());
}

TEST_CASE(
    "image shelf: a few at a time, counted from the question until the bytes are given back") {
  Lab lab;
  for (std::size_t i = 0; i < ImageShelf::kAtOnce; ++i) lab.ask();
  CHECK(lab.asked.size() == ImageShelf::kAtOnce);
  lab.ask();
  REQUIRE(lab.lent.size() == 1);
  CHECK(lab.lent[0].outcome == Kind::busy);
  lab.lent.clear();
  for (std::size_t i = 0; i < ImageShelf::kAtOnce; ++i) lab.answer(lab.ring);
  CHECK(lab.lent.size() == ImageShelf::kAtOnce);
  lab.ask();
  CHECK(lab.lent.back().outcome == Kind::busy);  // all are on their way
  lab.lent.pop_back();
  lab.lent.pop_back();
  lab.ask();
  CHECK(lab.lent.back().outcome == Kind::lent);
}

TEST_CASE("image shelf: what is not there takes no place") {
  Lab lab;
  for (const char* name : {"", "aa", "../../etc/passwd"}) {
    lab.ask(name);
    CHECK(lab.lent.back().outcome == Kind::not_here);
  }
  lab.ask(std::string(64, 'A'));
  CHECK(lab.lent.back().outcome == Kind::not_here);
  CHECK(lab.asked.empty());
  for (int i = 0; i < 10; ++i) {
    lab.ask(std::string(64, 'a'));
    lab.answer(Refusal("not_here", "no such ring"));
    CHECK(lab.lent.back().outcome == Kind::not_here);
  }
  lab.ask();
  lab.answer(Refusal("refused", "the disk is gone"));
  CHECK(lab.lent.back().outcome == Kind::failed);
  CHECK(lab.lent.back().why == "the disk is gone");
  lab.ask();
  lab.answer(Refusal("busy", "16 looks at rings wait already"));
  CHECK(lab.lent.back().outcome == Kind::busy);
}

TEST_CASE("image shelf: what it has lent outlives it") {
  Lab lab;
  lab.ask();
  lab.answer(lab.ring);
  lab.shelf.reset();
  CHECK(*lab.lent[0].bytes == fleet::image_of(*lab.ring).bytes);
}
