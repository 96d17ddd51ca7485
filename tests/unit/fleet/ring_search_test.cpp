// Which members are asked for a ring, in what order, and what becomes of their answers.
#include "fleet/sources/ring_search.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <set>

#include "ring/interval.hpp"
#include "ring/ring_edit.hpp"
#include "tests/support/scripted_pages.hpp"

using namespace fleet;
using test_support::ScriptedPages;
using Then = ScriptedPages::Then;

namespace {

std::shared_ptr<const ring::Ring> some_ring(std::uint32_t vnodes = 20) {
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, vnodes).even_hex();
  parts.pnodes = {"tcp://1.moray:2020", "tcp://2.moray:2020"};
  for (std::uint32_t i = 0; i < vnodes; ++i) parts.owners.push_back(i % 2);
  return ring::Ring::make(std::move(parts));
}

Roster three() {
  Roster roster;
  for (const char* id : {"m1", "m2", "m3"}) {
    roster[id].address = std::string("10.0.0.") + id[1] + ":2020";
    roster[id].http_port = 4020;
  }
  return roster;
}

std::vector<std::string> names(const std::vector<ImageSource>& sources) {
  std::vector<std::string> all;
  for (const ImageSource& source : sources) all.push_back(source.name);
  return all;
}

struct Lab {
  boost::asio::io_context loop;
  const std::shared_ptr<const ring::Ring> ring = some_ring();
  const std::string image = image_of(*ring).bytes;
  std::vector<std::unique_ptr<ScriptedPages>> pages;
  std::vector<ImageSource> sources;

  void source(std::string answer, Then then = Then::close) {
    pages.push_back(std::make_unique<ScriptedPages>(loop, std::move(answer), then));
    sources.push_back({"m" + std::to_string(pages.size()), true, pages.back()->endpoint(), "/x"});
  }
  RingFound search() {
    std::optional<RingFound> found;
    search_ring(loop, sources, ring->digest(), geometry_of(*ring), make_on(loop),
                [&](RingFound told) { found = std::move(told); });
    test_support::run_until(loop, [&] { return found.has_value(); });
    return *found;
  }
};

constexpr const char* kMissing = "HTTP/1.1 404 Not Found\r\n\r\n";
constexpr const char* kBusy = "HTTP/1.1 503 Busy\r\n\r\n";

}  // namespace

TEST_CASE("image sources: each member has its own order of the others, always the same") {
  Roster roster = three();
  for (int i = 4; i < 40; ++i) roster["m" + std::to_string(i)] = roster["m1"];
  std::set<std::string> firsts;
  for (const auto& [own, entry] : roster) {
    const auto sources = image_sources(roster, own, std::nullopt, "aa");
    CHECK(sources.size() == roster.size() - 1);
    CHECK(sources == image_sources(roster, own, std::nullopt, "aa"));
    for (const ImageSource& source : sources) CHECK(source.name != own);
    firsts.insert(sources.front().name);
  }
  CHECK(firsts.size() > 10);  // of 39 by chance some 25
}

TEST_CASE("image sources: where a member's pages are, and the URL after all of them") {
  Roster roster = three();
  roster["m1"].http_host = "10.1.0.1";
  roster["m2"].http_port = 0;
  roster["m3"].http_host = "127.0.0.1";  // its own host alone
  roster["v6"] = roster["m1"];
  roster["v6"].http_host.clear();
  roster["v6"].address = "fd00::1:2020";
  const auto sources =
      image_sources(roster, "me", config::image_url_from("http://h:81/r/{digest}"), "aa");
  REQUIRE(sources.size() == 3);
  const auto m1 = sources[0].name == "m1" ? sources[0] : sources[1];
  const auto v6 = sources[0].name == "m1" ? sources[1] : sources[0];
  CHECK(m1 == ImageSource{"m1", true, {"10.1.0.1", 4020}, "/ring/aa"});
  CHECK(v6 == ImageSource{"v6", true, {"fd00::1", 4020}, "/ring/aa"});
  CHECK(sources[2] == ImageSource{"h", false, {"h", 81}, "/r/aa"});

  roster = {};
  roster["m1"].address = "127.0.0.1:2020";  // all on one host
  roster["m1"].http_port = 4020;
  roster["m1"].http_host = "127.0.0.1";
  CHECK(names(image_sources(roster, "me", std::nullopt, "aa")) == std::vector<std::string>{"m1"});
}

TEST_CASE("ring search: the first that has the ring is the last that is asked") {
  Lab lab;
  lab.source(kMissing);
  lab.source(kBusy);
  lab.source(ScriptedPages::page(lab.image));
  lab.source(ScriptedPages::page(lab.image));
  const RingFound found = lab.search();
  REQUIRE(found.ring != nullptr);
  CHECK(found.ring->digest() == lab.ring->digest());
  CHECK(found.from == "m3");
  CHECK(found.from_member);
  CHECK(found.refused.empty());
  CHECK(lab.pages[3]->asked().empty());
}

TEST_CASE("ring search: wrong bytes are told with their source, and the next one is asked") {
  Lab lab;
  const auto other = ring::remapped(*lab.ring, ring::VnodeSet::parse("3"), "tcp://1.moray:2020");
  const std::string cut = lab.image.substr(0, lab.image.size() - 5);
  lab.source(ScriptedPages::page(image_of(*other).bytes));          // another ring
  lab.source(ScriptedPages::page(image_of(*some_ring(30)).bytes));  // of another shape
  lab.source(ScriptedPages::page(cut));
  lab.source(ScriptedPages::page(lab.image + "more"));
  lab.source(ScriptedPages::page("<html>"));
  lab.source(ScriptedPages::page(""));
  lab.source(ScriptedPages::page(lab.image));
  const RingFound found = lab.search();
  CHECK(found.from == "m7");
  REQUIRE(found.refused.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(found.refused[i].from == "m" + std::to_string(i + 1));
  CHECK(found.refused[0].why.find(other->digest()) != std::string::npos);
  CHECK(found.refused[1].why.find("30 vnodes") != std::string::npos);
  CHECK(found.refused[2].why == "an image is cut off");
  CHECK(found.refused[3].why == "an image goes on after its end");
}

TEST_CASE("ring search: where nobody has it, what each has said is told, of some of them") {
  Lab lab;
  lab.source(kMissing);
  lab.source(ScriptedPages::page("x"));
  RingFound found = lab.search();
  CHECK(found.ring == nullptr);
  CHECK(found.why == "m1: it does not have it (404); m2: an image is cut off");
  CHECK_FALSE(found.failed);
  CHECK_FALSE(found.busy);

  lab.source(kBusy);
  lab.source("");
  found = lab.search();
  CHECK(found.failed);
  CHECK(found.busy);

  for (int i = 0; i < 50; ++i) lab.source(kMissing);
  found = lab.search();
  CHECK(found.why.size() < 700);
  CHECK(found.why.ends_with(" more"));

  lab.sources.clear();
  CHECK(lab.search().why == "there is nobody else to ask");
}

TEST_CASE("ring search: an image is no longer than one of the fleet's rings can be") {
  Lab lab;
  lab.source("HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'), Then::repeat);
  lab.source(ScriptedPages::page(lab.image));
  CHECK(lab.search().from == "m2");
  // Uniformly random owners, the worst there is, and data of each vnode, fit.
  ring::RingParts parts;
  const std::uint32_t vnodes = 20'000;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, vnodes).even_hex();
  for (int i = 0; i < 1'000; ++i) parts.pnodes.push_back("tcp://" + std::to_string(i));
  std::minstd_rand random(1);
  for (std::uint32_t i = 0; i < vnodes; ++i) {
    parts.owners.push_back(static_cast<std::uint16_t>(random() % 1'000));
    if (random() % 2 == 0) parts.data.emplace_back(i, "\"ro\"");
  }
  const auto worst = ring::Ring::make(std::move(parts));
  const std::size_t most = image_bytes_most(geometry_of(*worst)) - (1U << 20);
  CHECK(image_of(*worst).bytes.size() < most);
}
