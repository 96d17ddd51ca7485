#include "coordination/zookeeper_handle.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <boost/asio/post.hpp>

namespace coordination {
namespace {

std::string joined(const std::vector<std::string>& servers) {
  std::string list;
  for (const std::string& each : servers) list += (list.empty() ? "" : ",") + each;
  return list;
}

Session::State state_of(int state) {
  if (state == ZOO_CONNECTED_STATE) return Session::State::connected;
  if (state == ZOO_EXPIRED_SESSION_STATE) return Session::State::expired;
  if (state == ZOO_AUTH_FAILED_STATE) return Session::State::denied;
  return Session::State::connecting;
}

}  // namespace

ZooKeeperHandle::ZooKeeperHandle(boost::asio::io_context& loop, ZooKeeperOptions options)
    : loop_(loop), work_(boost::asio::make_work_guard(loop)),
      options_(std::move(options)), rights_{ACL{ZOO_PERM_ALL, options_.user.empty()
                                                                  ? ZOO_ANYONE_ID_UNSAFE
                                                                  : ZOO_AUTH_IDS},
                                            ACL{ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE}},
      allowed_{ACL_vector{1, rights_.data()}, ACL_vector{2, rights_.data()}} {}

void ZooKeeperHandle::open() {
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  const std::string servers = joined(options_.servers);
  zookeeper_ = zookeeper_init2(servers.c_str(), &ZooKeeperHandle::on_event,
                               static_cast<int>(options_.session.count()), nullptr, this, 0,
                               [](const char*) {});  // states and outcomes say what happened
  if (zookeeper_ == nullptr)
    throw std::system_error(errno, std::system_category(), "ZooKeeper's client for " + servers);
}

/// Once there is a connection: what it is told before, the library forgets where its first tries to
/// connect fail. It says it again by itself at each later connection.
void ZooKeeperHandle::log_in() {
  if (options_.user.empty()) return;
  const std::string login = options_.user + ":" + options_.password;
  zoo_add_auth(zookeeper_, "digest", login.data(), static_cast<int>(login.size()), nullptr,
               nullptr);
}

void ZooKeeperHandle::close() {
  changed_ = nullptr;
  if (zookeeper_ != nullptr) zookeeper_close(std::exchange(zookeeper_, nullptr));
  tickets_.clear();
  watching_.clear();
  work_.reset();
}

ZooKeeperHandle::Ticket& ZooKeeperHandle::ticket(Take take) {
  const std::uint64_t number = ++last_number_;
  auto made = std::make_unique<Ticket>(Ticket{this, number, std::move(take), {}, {}, {}});
  return *tickets_.emplace(number, std::move(made)).first->second;
}

void ZooKeeperHandle::began(const Ticket& ticket, int code) {
  if (code != ZOK) answer(&ticket, {code, {}, {}});
}

void ZooKeeperHandle::answer(const void* ticket, Answer answer) {
  const auto& of = *static_cast<const Ticket*>(ticket);
  boost::asio::post(of.handle->loop_, [self = of.handle->weak_from_this(), number = of.number,
                                       answer = std::move(answer)]() mutable {
    const auto handle = self.lock();
    if (handle == nullptr) return;
    const auto found = handle->tickets_.find(number);
    if (found == handle->tickets_.end()) return;
    const std::unique_ptr<Ticket> answered = std::move(found->second);
    handle->tickets_.erase(found);
    answered->take(std::move(answer));
  });
}

void* ZooKeeperHandle::watch_number(const std::string& path, bool children) {
  Watching& watching = watching_[{path, children}];
  if (watching.number == 0) watching.number = ++last_number_;
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(watching.number));
}

void ZooKeeperHandle::enter(const std::string& path, bool children, Session::Watch changed) {
  watching_[{path, children}].changed.push_back(std::move(changed));
}

void ZooKeeperHandle::on_watch(zhandle_t* zookeeper, int type, int, const char*, void* number) {
  if (type == ZOO_SESSION_EVENT) return;  // told to each watch, and by on_event
  auto* handle = static_cast<ZooKeeperHandle*>(const_cast<void*>(zoo_get_context(zookeeper)));
  boost::asio::post(handle->loop_, [self = handle->weak_from_this(),
                                    told = reinterpret_cast<std::uintptr_t>(number)] {
    if (const auto alive = self.lock()) alive->tell(told);
  });
}

void ZooKeeperHandle::on_event(zhandle_t* zookeeper, int type, int state, const char*,
                               void* context) {
  if (type != ZOO_SESSION_EVENT) return;
  auto* handle = static_cast<ZooKeeperHandle*>(context);
  const bool connected = state == ZOO_CONNECTED_STATE;
  const std::int64_t session = connected ? zoo_client_id(zookeeper)->client_id : 0;
  boost::asio::post(handle->loop_, [self = handle->weak_from_this(), state, session] {
    if (const auto alive = self.lock()) alive->became(state, session);
  });
}

void ZooKeeperHandle::tell(std::uint64_t watch) {
  const auto found = std::find_if(watching_.begin(), watching_.end(),
                                  [&](const auto& each) { return each.second.number == watch; });
  if (found == watching_.end()) return;
  tell(std::exchange(found->second.changed, {}));
}

/// Any of them may end the session, with which the others end.
void ZooKeeperHandle::tell(const std::vector<Session::Watch>& watches) {
  const auto self = shared_from_this();
  for (const Session::Watch& each : watches)
    if (zookeeper_ != nullptr) each();
}

void ZooKeeperHandle::became(int state, std::int64_t session) {
  const Session::State next = state_of(state);
  if (session != 0 && std::exchange(id_, session) == 0) log_in();
  if (next == state_ || state_ == Session::State::expired || state_ == Session::State::denied)
    return;
  state_ = next;
  const auto self = shared_from_this();  // any of them may end the session
  if (next == Session::State::expired)
    for (const auto& [path, watching] : std::exchange(watching_, {})) tell(watching.changed);
  if (const auto changed = changed_) changed(next);
}

}  // namespace coordination
