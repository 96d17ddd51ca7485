#include "turns/place_queue.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using turns::PlaceQueue;

namespace {

const turns::Entry::Clock::time_point kNow{std::chrono::seconds(5)};
const char kNames[64] = {};  // told apart by addresses alone

struct Holder : turns::Entry {
  explicit Holder(int of) : client(of) {}
  int client;
  bool aside = false;
};

/// A client asks: it has a place at once, or waits.
struct Places {
  PlaceQueue queue;
  std::deque<Holder> items;
  std::vector<Holder*> with_place;

  explicit Places(std::size_t places) : queue(places) {}
  Holder& ask(int client) {
    Holder& item = items.emplace_back(client);
    if (queue.must_wait(&kNames[client]))
      queue.add(item, &kNames[client], kNow);
    else
      give(item);
    return item;
  }
  void give(Holder& item) {
    queue.take(&kNames[item.client]);
    with_place.push_back(&item);
  }
  /// Those that wait and may have a place get it, in this order.
  std::vector<int> run() {
    std::vector<int> clients;
    while (auto* item = static_cast<Holder*>(queue.next())) {
      give(*item);
      clients.push_back(item->client);
    }
    return clients;
  }
  void end(Holder* item) {
    with_place.erase(std::find(with_place.begin(), with_place.end(), item));
    queue.give_back(&kNames[item->client], item->aside);
  }
  std::vector<int> end_first() {
    end(with_place.front());
    return run();
  }
};

using Clients = std::vector<int>;

}  // namespace

TEST_CASE("places: the last one is for a client that has none") {
  Places places(4);
  for (int i = 0; i < 100; ++i) places.ask(0);
  CHECK(places.with_place.size() == 3);
  CHECK(places.run().empty());
  places.ask(1);
  CHECK(places.with_place.size() == 4);
  places.ask(2);
  CHECK(places.with_place.size() == 4);
  CHECK(places.end_first() == Clients{2});  // one of the first's has ended
  CHECK(places.end_first().empty());        // and the place is kept
  CHECK(places.end_first() == Clients{0});
}

TEST_CASE("places: with two none is kept, and one does as well") {
  Places two(2), one(1);
  for (int i = 0; i < 3; ++i) two.ask(0), one.ask(0);
  CHECK(two.with_place.size() == 2);
  CHECK(one.with_place.size() == 1);
  CHECK(one.end_first() == Clients{0});
}

TEST_CASE("places: clients that have as many have turns, the one first that had none for longest") {
  Places places(2);
  for (int client = 0; client < 3; ++client)
    for (int i = 0; i < 4; ++i) places.ask(client);  // 0 has both
  Clients order;
  for (int i = 0; i < 10; ++i)
    for (const int client : places.end_first()) order.push_back(client);
  CHECK(order == Clients{1, 0, 2, 1, 0, 2, 1, 2, 1, 2});
}

TEST_CASE(
    "places: one that is put aside leaves its place to others, and still counts as its client's") {
  Places places(2);
  Holder& slow = places.ask(0);
  places.ask(0);
  for (int i = 0; i < 3; ++i) places.ask(0);
  places.ask(1);
  slow.aside = true;
  places.queue.put_aside();
  CHECK(places.run() == Clients{1});  // 0 has two
  slow.aside = false;
  places.queue.go_on();  // three have places now
  CHECK(places.end_first().empty());
  CHECK(places.end_first() == Clients{0});
}

TEST_CASE("places: one that has a place for ever goes on beside many that have none") {
  Places places(4);
  places.ask(0);
  Holder* for_ever = places.with_place.front();
  for (int client = 1; client < 8; ++client) places.ask(client);
  places.ask(0);
  int turns = 0;
  for (bool served = false; !served; ++turns) {
    REQUIRE(turns < 60);
    Holder* done = places.with_place[places.with_place.front() == for_ever ? 1 : 0];
    const int client = done->client;
    places.end(done);
    places.ask(client);  // again at once
    for (const int each : places.run()) served = served || each == 0;
  }
}

TEST_CASE("places: at random, none stays free while one waits that may have it, and none is lost") {
  for (std::uint32_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const std::size_t most = 1 + random() % 6;
    Places places(most);
    std::map<int, std::deque<Holder*>> waiting;
    std::size_t aside = 0, turns = 0;
    const auto has = [&](int client) {
      return std::count_if(places.with_place.begin(), places.with_place.end(),
                           [&](const Holder* each) { return each->client == client; });
    };
    const auto run = [&] {
      while (true) {
        // By the rule: the fewest places of those that wait, or each fourth time any.
        long fewest = -1;
        std::size_t clients = 0;
        for (const auto& [client, mine] : waiting) {
          if (mine.empty()) continue;
          ++clients;
          if (fewest < 0 || has(client) < fewest) fewest = has(client);
        }
        const bool by_time = clients > 1 && (turns + 1) % 4 == 0;
        const std::size_t taken = places.with_place.size() - aside;
        const bool keeps = !by_time && fewest > 0 && most >= 3;
        const bool room = fewest >= 0 && taken + (keeps ? 1 : 0) < most;
        auto* next = static_cast<Holder*>(places.queue.next());
        REQUIRE((next != nullptr) == room);
        if (next == nullptr) return;
        ++turns;
        REQUIRE((by_time || has(next->client) == fewest));
        REQUIRE(waiting[next->client].front() == next);
        waiting[next->client].pop_front();
        places.give(*next);
      }
    };
    for (int step = 0; step < 400; ++step) {
      const int client = static_cast<int>(random() % 5);
      switch (random() % 6) {
        case 0:
        case 1: {
          Holder& item = places.ask(client);
          if (item.waits()) waiting[client].push_back(&item);
          break;
        }
        case 2: {
          auto& mine = waiting[client];
          if (mine.empty()) break;
          Holder* item = mine[random() % mine.size()];
          places.queue.remove(*item);
          mine.erase(std::find(mine.begin(), mine.end(), item));
          break;
        }
        default: {
          if (places.with_place.empty()) break;
          Holder* item = places.with_place[random() % places.with_place.size()];
          if (random() % 3 != 0) {
            if (item->aside) --aside;
            places.end(item);
          } else if (std::exchange(item->aside, !item->aside)) {
            places.queue.go_on();
            --aside;
          } else {
            places.queue.put_aside();
            ++aside;
          }
        }
      }
      run();
      std::size_t count = 0;
      for (const auto& [each, mine] : waiting) count += mine.size();
      REQUIRE(places.queue.count() == count);
    }
    std::size_t seen = 0;
    places.queue.for_each([&](turns::Entry& entry) {
      ++seen;
      places.queue.remove(entry);
    });
    CHECK(places.queue.empty());
    while (!places.with_place.empty()) places.end(places.with_place.back());
    CHECK_FALSE(places.queue.must_wait(&kNames[0]));
  }
}
