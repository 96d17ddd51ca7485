// Images that operators put into the service, where others have put some under the same name.
#include "fleet/operator/operator.hpp"

#include <doctest/doctest.h>

#include "fleet/images/edit.hpp"
#include "ring/interval.hpp"
#include "ring/ring_edit.hpp"
#include "tests/coordination/services.hpp"

using namespace fleet;
using namespace services;

namespace {

std::shared_ptr<const ring::Ring> some_ring() {
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, 20).even_hex();
  parts.pnodes = {"tcp://1.moray:2020", "tcp://2.moray:2020"};
  for (int i = 0; i < 20; ++i) parts.owners.push_back(i % 2);
  return ring::Ring::make(std::move(parts));
}

}  // namespace

TEST_CASE_TEMPLATE("operator: an edit of another ring is written over, a whole image never by one",
                   Service, InMemory, OfZooKeeper) {
  Service service;
  Operator commands(
      service.loop(), [&] { return service.connect(); }, Paths(service.root().substr(1)), kLimit);
  const auto next = some_ring();
  commands.found({1, next->digest()}, geometry_of(*next), std::nullopt);
  const Image whole = image_of(*next);
  const auto edit_of = [&](char base) {
    return image_of(Edit{std::string(64, base), {}, Edit::Gives::pnode, "tcp://1.moray:2020"},
                    *next);
  };
  const auto there = [&] { return commands.image(next->digest()).bytes; };

  CHECK_THROWS_AS(static_cast<void>(there()), OperatorError);
  for (const char base : {'a', 'a', 'b'}) {
    commands.put(edit_of(base));
    CHECK(there() == edit_of(base).bytes);
  }
  commands.put(whole);
  CHECK(there() == whole.bytes);
  commands.put(edit_of('a'));
  CHECK(there() == whole.bytes);
}
