// Requests under way on one connection: ids, sums, and writes that hold their vnode.
#include "backends/moray/in_flight.hpp"

#include <doctest/doctest.h>

using namespace backends;
using namespace backends::moray;

namespace {

class Deaf final : public ReplySink {
 public:
  void on_data(const Reply&) override {}
  void on_end(const Reply&) override {}
  void on_error(const Reply&) override {}
  void on_failure(const Failure&) override {}
};

struct Table {
  std::uint32_t add(Rpc rpc, std::uint32_t affinity = 0) {
    Request request;
    request.rpc = rpc;
    request.affinity = affinity;
    request.stream = rpc == Rpc::find_objects;
    return in_flight.add(request, sink, 0);
  }

  Deaf sink;
  Load load;
  InFlight in_flight{load};
};

}  // namespace

TEST_CASE("moray in flight: an id given up stays taken, and its answer is due") {
  Table table;
  const auto get = table.add(Rpc::get_object);
  const auto reindex = table.add(Rpc::reindex_objects);
  const auto find = table.add(Rpc::find_objects);
  CHECK(table.in_flight.prompt() == 1);
  table.in_flight.give_up(reindex);
  table.in_flight.give_up(reindex);
  CHECK(table.in_flight.prompt() == 2);
  CHECK(table.load.given_up == 1);
  CHECK(table.load.requests == 3);
  CHECK(table.in_flight.find(reindex)->given_up);
  CHECK(table.in_flight.remove(reindex));
  CHECK_FALSE(table.in_flight.remove(reindex));
  CHECK(table.load.given_up == 0);
  CHECK(table.in_flight.remove(get));
  CHECK(table.in_flight.prompt() == 0);
  table.in_flight.mark_unsent(find);
  const auto left = table.in_flight.remove_all();
  REQUIRE(left.size() == 1);
  CHECK(left.begin()->second.unsent);
  CHECK(table.load.requests == 0);
}

TEST_CASE("moray in flight: live writes hold their vnode until they are answered or given up") {
  Table table;
  const auto before = table.add(Rpc::put_object, 1);
  table.add(Rpc::get_object, 2);
  const auto given_up = table.add(Rpc::del_object, 3);
  table.in_flight.give_up(given_up);
  CHECK_FALSE(table.in_flight.has_live_write(1));  // nobody asked for it yet
  CHECK(table.load.ordered_writes == 0);

  table.in_flight.order_writes();
  table.in_flight.order_writes();
  const auto after = table.add(Rpc::batch, 1);
  CHECK(table.load.ordered_writes == 2);
  CHECK(table.in_flight.has_live_write(1));
  CHECK_FALSE(table.in_flight.has_live_write(2));
  CHECK_FALSE(table.in_flight.has_live_write(3));

  table.in_flight.stop_ordering();
  table.add(Rpc::put_object, 4);
  CHECK_FALSE(table.in_flight.has_live_write(4));
  CHECK(table.in_flight.remove(before));
  CHECK(table.in_flight.has_live_write(1));
  table.in_flight.give_up(after);
  CHECK_FALSE(table.in_flight.has_live_write(1));
  CHECK(table.load.ordered_writes == 0);
}
