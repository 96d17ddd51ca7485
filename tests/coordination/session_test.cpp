// What any service must do in which a fleet agrees: in memory, and ZooKeeper's.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/coordination/services.hpp"

using namespace coordination;
using namespace services;
using State = Session::State;

namespace {

/// A session, asked one thing after the other.
template <typename Service>
class Client {
 public:
  explicit Client(Service& service) : service_(service), session_(service.connect()) {
    run_until(loop(), [this] { return session_->state() == State::connected; });
    service.known(*session_);
  }
  Session& session() { return *session_; }
  boost::asio::io_context& loop() { return service_.loop(); }
  void end() { session_.reset(); }

  Outcome create(const std::string& path, const std::string& value = "", bool ephemeral = false) {
    return one([&](Session::Done done) {
      session_->create({path, value, ephemeral, false}, std::move(done));
    });
  }
  Outcome set(const std::string& path, const std::string& value, int version = kAnyVersion) {
    return one([&](Session::Done done) { session_->set({path, value, version}, std::move(done)); });
  }
  Outcome remove(const std::string& path, int version = kAnyVersion) {
    return one([&](Session::Done done) { session_->remove({path, version}, std::move(done)); });
  }
  std::pair<Outcome, std::size_t> transact(std::vector<Write> writes) {
    std::optional<std::pair<Outcome, std::size_t>> answer;
    session_->transact(std::move(writes), [&](Outcome outcome, std::size_t failed) {
      answer = {outcome, failed};
    });
    CHECK_FALSE(answer);  // never from inside a call
    run_until(loop(), [&] { return answer.has_value(); });
    return *answer;
  }
  std::pair<Outcome, Node> get(const std::string& path, Session::Watch watch = nullptr) {
    std::optional<std::pair<Outcome, Node>> answer;
    session_->get(path, std::move(watch), [&](Outcome outcome, Node node) {
      answer = {outcome, std::move(node)};
    });
    CHECK_FALSE(answer);
    run_until(loop(), [&] { return answer.has_value(); });
    return *answer;
  }
  std::pair<Outcome, std::vector<std::string>> children(const std::string& path,
                                                        Session::Watch watch = nullptr) {
    std::optional<std::pair<Outcome, std::vector<std::string>>> answer;
    session_->children(path, std::move(watch), [&](Outcome outcome, std::vector<std::string> all) {
      answer = {outcome, std::move(all)};
    });
    CHECK_FALSE(answer);
    run_until(loop(), [&] { return answer.has_value(); });
    return *answer;
  }

 private:
  template <typename Ask>
  Outcome one(Ask ask) {
    std::optional<Outcome> answer;
    ask([&](Outcome outcome) { answer = outcome; });
    CHECK_FALSE(answer);
    run_until(loop(), [&] { return answer.has_value(); });
    return *answer;
  }

  Service& service_;
  std::unique_ptr<Session> session_;
};

}  // namespace

TEST_CASE_TEMPLATE("session: nodes, versions and children", Service, InMemory, OfZooKeeper) {
  Service service;
  Client<Service> client(service);
  const std::string root = service.root();
  CHECK(client.get(root).first == Outcome::no_node);
  CHECK(client.create(root + "/a") == Outcome::no_node);
  CHECK(client.create(root, "r") == Outcome::done);
  CHECK(client.create(root) == Outcome::exists);
  CHECK(client.create(root + "/b", std::string("\0\xff", 2)) == Outcome::done);
  CHECK(client.create(root + "/a", "") == Outcome::done);
  CHECK(client.create(root + "/a/deep", "") == Outcome::done);
  CHECK(client.get(root + "/b") ==
        std::pair(Outcome::done, Node{std::string("\0\xff", 2), kFirstVersion, 0}));
  CHECK(client.children(root) == std::pair(Outcome::done, std::vector<std::string>{"a", "b"}));
  CHECK(client.children(root + "/b").second.empty());
  CHECK(client.children(root + "/c").first == Outcome::no_node);
  CHECK(client.set(root + "/b", "1", 1) == Outcome::version_differs);
  CHECK(client.set(root + "/b", "1", 0) == Outcome::done);
  CHECK(client.set(root + "/b", "2", 0) == Outcome::version_differs);
  CHECK(client.set(root + "/b", "2") == Outcome::done);
  CHECK(client.set(root + "/c", "2") == Outcome::no_node);
  CHECK(client.get(root + "/b").second == Node{"2", 2, 0});
  CHECK(client.remove(root + "/a") == Outcome::has_children);
  CHECK(client.remove(root + "/b", 1) == Outcome::version_differs);
  CHECK(client.remove(root + "/b", 2) == Outcome::done);
  CHECK(client.remove(root + "/b") == Outcome::no_node);
  CHECK(client.create(root + "/b", "new") == Outcome::done);
  CHECK(client.get(root + "/b").second == Node{"new", kFirstVersion, 0});
}

TEST_CASE_TEMPLATE("session: a transaction is done as one step, or not at all", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  Client<Service> client(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  CHECK(client.transact({Create{root + "/state", "1"}, Create{root + "/state/of", "it"},
                         Set{root + "/state", "2", 0}, Check{root + "/state", 1}}) ==
        std::pair(Outcome::done, std::size_t{0}));
  CHECK(client.get(root + "/state").second == Node{"2", 1, 0});
  CHECK(client.transact(
            {Set{root + "/state", "3", 1}, Check{root + "/state", 1}, Create{root + "/more"}}) ==
        std::pair(Outcome::version_differs, std::size_t{1}));
  CHECK(client.get(root + "/state").second == Node{"2", 1, 0});
  CHECK(client.get(root + "/more").first == Outcome::no_node);
  CHECK(client.transact({Check{root + "/state", 1}}).first == Outcome::done);
  CHECK(client.transact({Check{root + "/none"}}).first == Outcome::no_node);
  CHECK(client.transact({Remove{root + "/state/of", 0}, Remove{root + "/state", 1}}).first ==
        Outcome::done);
  CHECK(client.children(root).second.empty());
}

TEST_CASE_TEMPLATE("session: what makes no sense is refused here, by all alike", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  Client<Service> client(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  for (const std::string path : {"", "/", "a", "/a/", "//a", "/./a", "/a/..", "/a//b"}) {
    CAPTURE(path);
    CHECK(client.create(path) == Outcome::refused);
    CHECK(client.get(path).first == Outcome::refused);
    CHECK(client.children(path).first == Outcome::refused);
  }
  CHECK(client.transact({}).first == Outcome::refused);
  CHECK(client.create(root + "/most", std::string(kNodeBytesMost, 'x')) == Outcome::done);
  CHECK(client.create(root + "/more", std::string(kNodeBytesMost + 1, 'x')) == Outcome::refused);
  std::vector<Write> large;
  for (int i = 0; i < 9; ++i)
    large.push_back(Create{root + "/" + std::to_string(i), std::string(kNodeBytesMost, 'x')});
  CHECK(client.transact(large).first == Outcome::refused);
  CHECK(client.children(root).second == std::vector<std::string>{"most"});
}

TEST_CASE_TEMPLATE("session: ephemeral nodes end with their session", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  Client<Service> client(service), other(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  REQUIRE(other.create(root + "/live", "1", true) == Outcome::done);
  CHECK(other.create(root + "/live/child") == Outcome::refused);
  CHECK(client.create(root + "/live", "1", true) == Outcome::exists);
  REQUIRE(client.transact({Check{root + "/live"}}).first == Outcome::done);  // seen from here on
  CHECK(client.get(root + "/live").second.owner == other.session().id());
  bool told = false;
  REQUIRE(client.get(root + "/live", [&] { told = true; }).first == Outcome::done);
  other.end();
  run_until(client.loop(), [&] { return told; });
  CHECK(client.get(root + "/live").first == Outcome::no_node);
}

TEST_CASE_TEMPLATE("session: watches are told once, of changes and of creation", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  Client<Service> client(service), other(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  int changed = 0, created = 0, among = 0;
  REQUIRE(client.get(root, [&] { ++changed; }).first == Outcome::done);
  REQUIRE(client.get(root + "/a", [&] { ++created; }).first == Outcome::no_node);
  REQUIRE(client.children(root, [&] { ++among; }).first == Outcome::done);
  CHECK(other.set(root, "1") == Outcome::done);
  run_until(client.loop(), [&] { return changed == 1; });
  CHECK(other.set(root, "2") == Outcome::done);
  CHECK(other.create(root + "/a") == Outcome::done);
  run_until(client.loop(), [&] { return created == 1 && among == 1; });
  CHECK(other.set(root + "/a", "1") == Outcome::done);
  CHECK(other.create(root + "/b") == Outcome::done);
  // Each of many reads of one node is told.
  int each = 0;
  for (int i = 0; i < 5; ++i)
    REQUIRE(client.get(root + "/b", [&] { ++each; }).first == Outcome::done);
  CHECK(other.remove(root + "/b") == Outcome::done);
  run_until(client.loop(), [&] { return each == 5; });
  CHECK(client.get(root).second == Node{"2", 2, 0});
  CHECK(changed == 1);
  CHECK(created == 1);
  CHECK(among == 1);
}

TEST_CASE_TEMPLATE("session: answers come in the order of what was asked", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  Client<Service> client(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  std::vector<int> order;
  constexpr int kMany = 200;
  for (int i = 0; i < kMany; ++i) {
    client.session().set({root, std::to_string(i), i}, [&, i](Outcome outcome) {
      CHECK(outcome == Outcome::done);
      order.push_back(2 * i);
    });
    client.session().get(root, nullptr, [&, i](Outcome outcome, const Node& node) {
      CHECK(outcome == Outcome::done);
      CHECK(node == Node{std::to_string(i), i + 1, 0});
      order.push_back(2 * i + 1);
    });
  }
  run_until(client.loop(), [&] { return order.size() == 2 * kMany; });
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE_TEMPLATE("session: one that is ended with requests under way calls nothing back", Service,
                   InMemory, OfZooKeeper) {
  Service service;
  Client<Service> client(service), other(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  int called = 0;
  for (int i = 0; i < 50; ++i) {
    other.session().get(
        root, [&] { ++called; }, [&](Outcome, const Node&) { ++called; });
    other.session().set({root, "x"}, [&](Outcome) { ++called; });
  }
  other.end();
  REQUIRE(client.set(root, "y") == Outcome::done);
  CHECK(called == 0);
}

TEST_CASE_TEMPLATE("session: without a connection requests are unknown, and go on after it",
                   Service, InMemory, OfZooKeeper) {
  Service service;
  Client<Service> client(service);
  const std::string root = service.root();
  REQUIRE(client.create(root) == Outcome::done);
  REQUIRE(client.create(root + "/live", "", true) == Outcome::done);
  const std::int64_t id = client.session().id();
  std::vector<State> states;
  client.session().on_state([&](State state) { states.push_back(state); });
  service.cut();
  run_until(client.loop(), [&] { return client.session().state() == State::connecting; });
  std::optional<Outcome> read;
  client.session().get(root, nullptr, [&](Outcome outcome, const Node&) { read = outcome; });
  service.restore();
  run_until(client.loop(), [&] { return states.size() >= 2 && read; });
  CHECK((read == Outcome::unknown || read == Outcome::done));  // it may have waited
  CHECK(client.session().id() == id);
  CHECK(states == std::vector{State::connecting, State::connected});
  CHECK(client.get(root + "/live").second.owner == id);
}

// Debian's library forgets credentials that it is told while its first tries to connect fail.
TEST_CASE(
    "session: one that begins while the service is away has its credentials when it is back") {
  OfZooKeeper service;
  Client<OfZooKeeper> client(service);
  const std::string root = service.root();
  REQUIRE(client.create(root, "mine") == Outcome::done);
  service.cut();
  const auto late = service.connect();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  run_until(service.loop(), [&] { return std::chrono::steady_clock::now() > until; });
  CHECK(late->state() == State::connecting);
  service.restore();
  run_until(service.loop(), [&] { return late->state() == State::connected; });
  std::optional<std::pair<Outcome, Node>> read;
  late->get(root, nullptr, [&](Outcome outcome, Node node) { read.emplace(outcome, node); });
  run_until(service.loop(), [&] { return read.has_value(); });
  CHECK(read->first == Outcome::done);
  CHECK(read->second.value == "mine");
}
