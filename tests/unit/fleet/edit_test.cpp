// What makes one ring of another, as members are told it.
#include "fleet/images/edit.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <random>
#include <stdexcept>
#include <vector>

#include "fleet/images/packed.hpp"
#include "ring/interval.hpp"
#include "ring/ring_edit.hpp"

using namespace fleet;
using Gives = Edit::Gives;

namespace {

std::shared_ptr<const ring::Ring> ring_of(std::uint32_t vnodes) {
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, vnodes).even_hex();
  parts.pnodes = {"tcp://1.moray:2020", "tcp://2.moray:2020"};
  for (std::uint32_t i = 0; i < vnodes; ++i) parts.owners.push_back(i % 2);
  parts.data = {{3, "\"ro\""}};
  return ring::Ring::make(std::move(parts));
}

std::shared_ptr<const ring::Ring> done_to(const ring::Ring& ring, const Edit& edit) {
  return edit.gives == Gives::pnode ? ring::remapped(ring, edit.vnodes, edit.value)
                                    : ring::with_data(ring, edit.vnodes, edit.value);
}

struct Lab {
  std::shared_ptr<const ring::Ring> base = ring_of(64);
  Geometry geometry = geometry_of(*base);
  Edit edit{base->digest(), ring::VnodeSet::parse("0,8-31,63"), Gives::pnode, "tcp://2.moray:2020"};
  std::shared_ptr<const ring::Ring> next = done_to(*base, edit);
  Image image = image_of(edit, *next);

  /// Why it is refused; empty: it makes the ring.
  [[nodiscard]] std::string why(const Image& of) const {
    try {
      return ring_from(of, *base, geometry)->digest() == next->digest() ? "" : "another ring";
    } catch (const std::invalid_argument& refused) {
      return refused.what();
    }
  }
  /// Of an edit of that ring in these bytes.
  [[nodiscard]] std::string why(const std::string& unpacked_bytes) const {
    return why({next->digest(), "MRE1 " + base->digest() + '\n' + packed(unpacked_bytes)});
  }
};

const std::string kBits(8, '\x01');

}  // namespace

TEST_CASE("fleet edits: who has the one ring makes the other, with pnodes old and new, and data") {
  const auto base = ring_of(1001);
  const Geometry geometry = geometry_of(*base);
  for (const char* vnodes : {"0", "1000", "0-1000", "7-8,15-16,999-1000", ""})
    for (const auto& [gives, value] :
         {std::pair(Gives::pnode, "tcp://2.moray:2020"), std::pair(Gives::pnode, "tcp://new\"\n:1"),
          std::pair(Gives::data, "\"ro\""), std::pair(Gives::data, "1"),
          std::pair(Gives::data, "{\"note\":[\"\\n\"]}")}) {
      const Edit edit{base->digest(), ring::VnodeSet::parse(vnodes), gives, value};
      const auto next = done_to(*base, edit);
      const Image image = image_of(edit, *next);
      CHECK(base_of(image.bytes) == base->digest());
      CHECK(edit_from(image, geometry) == edit);
      CHECK(ring_from(image, *base, geometry)->digest() == next->digest());
    }
}

TEST_CASE("fleet edits: of a large ring one has an eighth of a byte a vnode at most") {
  const std::uint32_t vnodes = 100'000;
  const auto ring = ring_of(vnodes);
  std::minstd_rand random(1);
  std::vector<std::uint32_t> some;
  for (std::uint32_t i = 0; i < vnodes; ++i)
    if (random() % 2 == 0) some.push_back(i);
  const Edit edit{ring->digest(), ring::VnodeSet::of(std::move(some)), Gives::pnode, "tcp://x"};
  CHECK(image_of(edit, *ring).bytes.size() < vnodes / 8 + 200);
}

TEST_CASE(
    "fleet edits: any damage is refused, and an edit of another ring, or that makes another") {
  const Lab lab;
  CHECK(lab.why(lab.image) == "");
  for (std::size_t i = 0; i < lab.image.bytes.size(); ++i) {
    Image damaged = lab.image;
    damaged.bytes[i] = static_cast<char>(damaged.bytes[i] ^ 0x10);
    // The last bits of a deflated text may mean nothing.
    const bool same = base_of(damaged.bytes) == lab.base->digest() && lab.why(damaged) == "" &&
                      edit_from(damaged, lab.geometry) == lab.edit;
    CHECK((lab.why(damaged) != "" || same));
    damaged.bytes = lab.image.bytes.substr(0, i);
    CHECK(lab.why(damaged) != "");
  }
  CHECK(lab.why({lab.image.digest, lab.image.bytes + "x"}) == "an image goes on after its end");
  CHECK(lab.why({std::string(64, '0'), lab.image.bytes}) ==
        "an image makes ring " + lab.next->digest() + " of ring " + lab.base->digest() + ", not " +
            std::string(64, '0'));
  Edit other = lab.edit;
  other.base = lab.next->digest();
  CHECK(lab.why(image_of(other, *lab.next)) ==
        "an image is an edit of ring " + other.base + ", not of " + lab.base->digest());
  CHECK(lab.why(image_of(*lab.next)) == "an image is no edit of a ring");
  CHECK(lab.why(image_of(lab.edit.vnodes, 64)) == "an image is no edit of a ring");
  const auto wider = ring_of(128);
  CHECK(lab.why(image_of(lab.edit, *wider)) != "");
}

TEST_CASE("fleet edits: what a head says is looked at before anything is made of it") {
  const Lab lab;
  const std::string form = R"({"form":"MRE1","vnodes":64)";
  for (const std::string& head :
       {std::string(), std::string("{"), std::string("[]\n"), std::string("{}\n"), form + "}\n",
        form + R"(,"pnode":"a","data":"1"})" + "\n", form + R"(,"pnode":7})" + "\n",
        form + R"(,"data":"{"})" + "\n", form + R"(,"data":["a"]})" + "\n",
        std::string(R"({"form":"MRE1","vnodes":63,"pnode":"a"})") + "\n",
        std::string(R"({"form":"MRI1","vnodes":64,"pnode":"a"})") + "\n",
        std::string(R"({"form":7,"vnodes":64,"pnode":"a"})") + "\n",
        std::string(R"({"form":"MRE1","vnodes":"64","pnode":"a"})") + "\n"})
    CHECK_MESSAGE(lab.why(head + kBits) != "", head);
  const std::string well = form + R"(,"pnode":"tcp://2.moray:2020"})" + "\n";
  CHECK(lab.why(well + kBits).starts_with("an image makes ring "));
  CHECK(lab.why(well + kBits + "x") != "");
  CHECK(lab.why(well + kBits.substr(1)) == "an image is of vnodes of another ring");
  CHECK(lab.why(form + R"(,"pnode":")" + std::string(1025, 'a') + "\"}\n" + kBits) ==
        "an edit gives 1025 bytes, to 1 vnodes: too many");
}

TEST_CASE("fleet edits: what would be far larger as a ring than as an edit is made by nobody") {
  const Lab lab;
  CHECK(lab.why(std::string(10'000'000, '\0')).starts_with("an image holds more than "));
  Edit edit = lab.edit;
  edit.gives = Gives::data;
  edit.value = '"' + std::string(30'000, 'a') + '"';
  CHECK_THROWS_AS(static_cast<void>(image_of(edit, *lab.next)), std::invalid_argument);

  // Of 1,200 vnodes with 30,000 bytes each.
  const auto ring = ring_of(1'200);
  const std::string head =
      R"({"form":"MRE1","vnodes":1200,"data":"\")" + std::string(29'998, 'a') + "\\\"\"}\n";
  const Image image{ring->digest(),
                    "MRE1 " + ring->digest() + '\n' + packed(head + std::string(150, '\xff'))};
  CHECK_THROWS_WITH(static_cast<void>(ring_from(image, *ring, geometry_of(*ring))),
                    "an edit gives 30000 bytes, to 1200 vnodes: too many");
}

TEST_CASE("fleet edits: one is not taken for a whole ring, nor does one stand for another") {
  const Lab lab;
  const Image whole = image_of(*lab.next);
  CHECK(base_of(whole.bytes) == std::nullopt);
  CHECK(base_of("MRE1 " + std::string(64, 'g') + '\n') == std::nullopt);
  CHECK(base_of("MRE1 " + std::string(64, 'a')) == std::nullopt);
  CHECK_THROWS_WITH(
      static_cast<void>(ring_from(lab.image, lab.geometry)),
      ("an image makes its ring of ring " + lab.base->digest() + ", and is not whole").c_str());
  Edit edit = lab.edit;
  edit.base = std::string(64, '0');
  const Image other = image_of(edit, *lab.next);
  CHECK(stands_for(lab.image.bytes, lab.image));
  CHECK(stands_for(whole.bytes, lab.image));
  CHECK_FALSE(stands_for(other.bytes, lab.image));
  CHECK_FALSE(stands_for(lab.image.bytes, whole));
}
