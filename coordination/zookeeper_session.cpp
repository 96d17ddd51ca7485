#include "coordination/zookeeper_session.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "coordination/zookeeper_handle.hpp"

namespace coordination {
namespace {

using Handle = ZooKeeperHandle;

Outcome outcome_of(int code) {
  switch (code) {
    case ZOK: return Outcome::done;
    case ZNONODE: return Outcome::no_node;
    case ZNODEEXISTS: return Outcome::exists;
    case ZBADVERSION: return Outcome::version_differs;
    case ZNOTEMPTY: return Outcome::has_children;
    case ZNOAUTH:
    case ZAUTHFAILED: return Outcome::denied;
    case ZBADARGUMENTS:
    case ZINVALIDACL:
    case ZNOCHILDRENFOREPHEMERALS: return Outcome::refused;
    // A transaction that the library can't send, since its session has ended, is a marshalling
    // error.
    default: return Outcome::unknown;
  }
}

int bytes_of(const std::string& value) { return static_cast<int>(value.size()); }

// What the library's threads call. They post, and no more.
void took_node(int code, const char* value, int bytes, const Stat* stat, const void* ticket) {
  Node node;
  if (value != nullptr && bytes > 0) node.value.assign(value, static_cast<std::size_t>(bytes));
  if (stat != nullptr) {
    node.version = stat->version;
    node.owner = stat->ephemeralOwner;
    node.created_ms = stat->ctime;
  }
  Handle::answer(ticket, {code, std::move(node), {}});
}
void took_names(int code, const String_vector* names, const Stat*, const void* ticket) {
  Handle::Answer answer{code, {}, {}};
  for (int i = 0; names != nullptr && i < names->count; ++i)
    answer.names.emplace_back(names->data[i]);
  std::sort(answer.names.begin(), answer.names.end());
  Handle::answer(ticket, std::move(answer));
}
void took_stat(int code, const Stat*, const void* ticket) {
  Handle::answer(ticket, {code, {}, {}});
}
void took_code(int code, const void* ticket) { Handle::answer(ticket, {code, {}, {}}); }

zoo_op_t operation_of(const Write& write, const Handle& handle) {
  zoo_op_t operation{};
  if (const auto* check = std::get_if<Check>(&write)) {
    zoo_check_op_init(&operation, check->path.c_str(), check->version);
  } else if (const auto* create = std::get_if<Create>(&write)) {
    zoo_create_op_init(&operation, create->path.c_str(), create->value.data(),
                       bytes_of(create->value), &handle.allowed(*create),
                       create->ephemeral ? ZOO_EPHEMERAL : 0, nullptr, 0);
  } else if (const auto* set = std::get_if<Set>(&write)) {
    zoo_set_op_init(&operation, set->path.c_str(), set->value.data(), bytes_of(set->value),
                    set->version, nullptr);
  } else if (const auto* remove = std::get_if<Remove>(&write)) {
    zoo_delete_op_init(&operation, remove->path.c_str(), remove->version);
  }
  return operation;
}

/// The first that failed by itself: the others' codes say that they were rolled back, or not tried.
std::pair<int, std::size_t> verdict(int code, const std::vector<zoo_op_result_t>& results) {
  for (std::size_t i = 0; code != ZOK && i < results.size(); ++i)
    if (results[i].err != ZOK && results[i].err != ZRUNTIMEINCONSISTENCY)
      return {results[i].err, i};
  return {code, 0};
}

}  // namespace

ZooKeeperSession::ZooKeeperSession(boost::asio::io_context& loop, ZooKeeperOptions options)
    : loop_(loop), handle_(std::make_shared<Handle>(loop, std::move(options))) {
  handle_->open();
}

ZooKeeperSession::~ZooKeeperSession() { handle_->close(); }

Session::State ZooKeeperSession::state() const { return handle_->state(); }
std::int64_t ZooKeeperSession::id() const { return handle_->id(); }
void ZooKeeperSession::on_state(std::function<void(State)> changed) {
  handle_->on_state(std::move(changed));
}

/// A watch waits from when its read is answered, which the library posts before what it tells of.
void ZooKeeperSession::get(const std::string& path, Watch watch, GotNode got) {
  if (!well_formed(path)) return later([got = std::move(got)] { got(Outcome::refused, {}); });
  void* number = watch ? handle_->watch_number(path, false) : nullptr;
  Handle::Ticket& ticket =
      handle_->ticket([this, path, watch = std::move(watch), got](Handle::Answer answer) {
        if (answer.code == ZNONODE && watch) return await_creation(path, watch, got);
        if (answer.code == ZOK && watch) handle_->enter(path, false, watch);
        got(outcome_of(answer.code), std::move(answer.node));
      });
  handle_->began(ticket, zoo_awget(handle_->zookeeper(), path.c_str(),
                                   number == nullptr ? nullptr : &Handle::on_watch, number,
                                   took_node, &ticket));
}

/// A get of a node that is not there sets no watch; this does. Where it is there by now, it is read
/// anew.
void ZooKeeperSession::await_creation(const std::string& path, Watch watch, GotNode got) {
  void* number = handle_->watch_number(path, false);
  Handle::Ticket& ticket =
      handle_->ticket([this, path, watch = std::move(watch), got](const Handle::Answer& answer) {
        if (answer.code == ZOK || answer.code == ZNONODE) handle_->enter(path, false, watch);
        if (answer.code == ZOK) return get(path, nullptr, got);
        got(outcome_of(answer.code), {});
      });
  handle_->began(ticket, zoo_awexists(handle_->zookeeper(), path.c_str(), &Handle::on_watch, number,
                                      took_stat, &ticket));
}

void ZooKeeperSession::children(const std::string& path, Watch watch, GotChildren got) {
  if (!well_formed(path)) return later([got = std::move(got)] { got(Outcome::refused, {}); });
  void* number = watch ? handle_->watch_number(path, true) : nullptr;
  Handle::Ticket& ticket = handle_->ticket(
      [this, path, watch = std::move(watch), got = std::move(got)](Handle::Answer answer) {
        if (answer.code == ZOK && watch) handle_->enter(path, true, watch);
        got(outcome_of(answer.code), std::move(answer.names));
      });
  handle_->began(ticket, zoo_awget_children2(handle_->zookeeper(), path.c_str(),
                                             number == nullptr ? nullptr : &Handle::on_watch,
                                             number, took_names, &ticket));
}

void ZooKeeperSession::create(Create create, Done done) {
  write_one(std::move(create), std::move(done));
}
void ZooKeeperSession::set(Set set, Done done) { write_one(std::move(set), std::move(done)); }
void ZooKeeperSession::remove(Remove remove, Done done) {
  write_one(std::move(remove), std::move(done));
}

void ZooKeeperSession::write_one(Write write, Done done) {
  transact({std::move(write)},
           [done = std::move(done)](Outcome outcome, std::size_t) { done(outcome); });
}

void ZooKeeperSession::transact(std::vector<Write> writes, GotAll done) {
  if (!refusal(writes).empty())
    return later([done = std::move(done)] { done(Outcome::refused, 0); });
  Handle::Ticket& ticket = handle_->ticket(nullptr);
  ticket.take = [done = std::move(done), &ticket](const Handle::Answer& answer) {
    const auto [code, failed] = verdict(answer.code, ticket.results);
    done(outcome_of(code), failed);
  };
  ticket.writes = std::move(writes);
  for (const Write& write : ticket.writes)
    ticket.operations.push_back(operation_of(write, *handle_));
  ticket.results.resize(ticket.operations.size());
  handle_->began(ticket,
                 zoo_amulti(handle_->zookeeper(), static_cast<int>(ticket.operations.size()),
                            ticket.operations.data(), ticket.results.data(), took_code, &ticket));
}

void ZooKeeperSession::later(std::function<void()> call) {
  boost::asio::post(loop_, [handle = std::weak_ptr<Handle>(handle_), call = std::move(call)] {
    if (!handle.expired()) call();
  });
}

}  // namespace coordination
