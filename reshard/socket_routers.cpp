#include "reshard/socket_routers.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>

#include <nlohmann/json.hpp>

#include "json/nesting.hpp"
#include "reshard/database.hpp"

namespace reshard {
namespace {

using Json = nlohmann::ordered_json;

/// Closed when it goes.
class Socket {
 public:
  explicit Socket(int number) : number_(number) {}
  ~Socket() {
    if (number_ >= 0) close(number_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// Empty where all went well, else why not.
std::string exchange(const std::string& path, const std::string& line,
                     std::chrono::milliseconds limit, std::string& answer) {
  const auto reason = [] { return std::string(std::strerror(errno)); };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return "its path is too long";
  path.copy(address.sun_path, path.size());
  const Socket socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  timeval wait{};
  wait.tv_sec = static_cast<time_t>(limit.count() / 1000);
  wait.tv_usec = static_cast<suseconds_t>(limit.count() % 1000 * 1000);
  setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return reason();
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t bytes =
        send(socket.number(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (bytes <= 0) return reason();
    sent += static_cast<std::size_t>(bytes);
  }
  char buffer[65536];
  while (answer.empty() || answer.back() != '\n') {
    const ssize_t bytes = recv(socket.number(), buffer, sizeof buffer, 0);
    if (bytes == 0) return "it ended the connection";
    if (bytes < 0)
      return errno == EAGAIN ? "no answer within " + std::to_string(limit.count()) + " ms"
                             : reason();
    answer.append(buffer, static_cast<std::size_t>(bytes));
  }
  return "";
}

constexpr std::chrono::seconds kPrepareLimit{30};

void require(const std::vector<RouterAnswer>& answers, const char* what) {
  for (const RouterAnswer& answer : answers)
    if (!answer.ok)
      throw ActFailed("router " + answer.router + ", " + what + ": " + answer.message);
}

Ownership ownership_from(const RouterAnswer& answer) {
  Ownership owned;
  owned.router = answer.router;
  owned.problem = answer.ok ? "" : answer.message;
  if (!answer.ok) return owned;
  const Json json = Json::parse(answer.result);
  owned.application = json.value("application", "");
  owned.all = json.value("owned", false);
  owned.none = json.value("none", false);
  owned.owned = ring::VnodeSet::parse(json.value("ownedVnodes", ""));
  if (json.contains("other"))
    owned.other = "vnode " + json.at("other").at("vnode").dump() + " belongs to " +
                  json.at("other").at("pnode").get<std::string>();
  owned.reads = json.at("reads").value("underWay", std::uint64_t{0});
  owned.older_reads = json.value("olderReads", std::uint64_t{0});
  owned.pnode_vnodes = json.value("pnodeVnodes", std::uint64_t{0});
  return owned;
}

}  // namespace

RouterAnswer ask_router(const std::string& socket, const std::string& command,
                        const Json& arguments, std::chrono::milliseconds limit) {
  RouterAnswer answer;
  answer.router = socket;
  const auto begun = std::chrono::steady_clock::now();
  std::string text;
  answer.message =
      exchange(socket, Json{{"v", 1}, {"command", command}, {"arguments", arguments}}.dump() + "\n",
               limit, text);
  answer.took = std::chrono::steady_clock::now() - begun;
  if (!answer.message.empty()) return answer;
  const Json line = json::parse_bounded<Json>(text);
  if (!line.is_object() || !line.contains("ok")) {
    answer.message = "its answer is none";
    return answer;
  }
  answer.answered = true;
  answer.ok = line.at("ok").get<bool>();
  if (answer.ok) {
    answer.result = line.at("result").dump();
  } else {
    answer.code = line.at("error").at("code").get<std::string>();
    answer.message = line.at("error").at("message").get<std::string>();
  }
  return answer;
}

std::vector<RouterAnswer> SocketRouters::tell(const std::string& command, const Json& arguments,
                                              std::chrono::milliseconds limit) const {
  if (plan_.routers.size() == 1)
    return {ask_router(plan_.routers.front(), command, arguments, limit)};
  std::vector<std::future<RouterAnswer>> asked;
  for (const std::string& router : plan_.routers)
    asked.push_back(std::async(std::launch::async, ask_router, router, command, arguments, limit));
  std::vector<RouterAnswer> answers;
  for (auto& each : asked) answers.push_back(each.get());
  return answers;
}

/// Without digests: for a router that is given the vnodes in the ring that it has.
Json SocketRouters::prepare_arguments() const {
  return {{"vnodes", plan_.vnodes.to_text()},
          {"pnode", plan_.to.pnode},
          {"plan", plan_.name()},
          {"holder", holder_},
          {"from", plan_.from.pnode},
          {"leaseMs", plan_.options.lease_ms}};
}

std::vector<RouterAnswer> SocketRouters::try_prepare(std::chrono::milliseconds limit) {
  Json arguments = prepare_arguments();
  arguments["owner"] = plan_.from.pnode;
  arguments["rehearse"] = true;
  return tell("prepare", arguments, limit);
}

Rehearsal SocketRouters::rehearse(std::chrono::milliseconds limit) {
  return agreed(try_prepare(limit));
}

bool SocketRouters::prepare(const BoundRings& rings, std::chrono::milliseconds limit) {
  Json arguments = prepare_arguments();
  arguments["owner"] = plan_.from.pnode;
  arguments["baseDigest"] = rings.before;
  arguments["expectDigest"] = rings.after;
  const auto answers = tell("prepare", arguments, limit);
  for (const RouterAnswer& answer : answers)
    if (answer.code == "other_ring" || answer.code == "prepared") return false;
  require(answers, "prepare");
  return true;
}

/// The block gets all of a lease: what came before took its time.
void SocketRouters::renew(std::chrono::milliseconds limit) {
  require(tell("renew", {{"lease", holder_}, {"leaseMs", plan_.options.lease_ms}}, limit), "renew");
}

void SocketRouters::block(std::chrono::milliseconds limit) {
  const Json arguments{{"vnodes", plan_.vnodes.to_text()},
                       {"mode", "hold"},
                       {"wait", true},
                       {"timeoutMs", limit.count()},
                       {"lease", holder_}};
  const auto answers = tell("block", arguments, limit + std::chrono::milliseconds(1'000));
  require(answers, "block");
  for (const RouterAnswer& answer : answers)
    if (!Json::parse(answer.result).value("drained", false))
      throw ActFailed("router " + answer.router + ", block: an earlier write is unanswered after " +
                      std::to_string(limit.count()) + " ms");
}

std::vector<Ownership> SocketRouters::ownership(const std::string& pnode,
                                                const ring::VnodeSet& vnodes,
                                                std::chrono::milliseconds limit) {
  std::vector<Ownership> all;
  for (const RouterAnswer& answer :
       tell("ownership", {{"vnodes", vnodes.to_text()}, {"pnode", pnode}}, limit))
    all.push_back(ownership_from(answer));
  return all;
}

/// A router that was started anew has kept the prepared ring, and another plan's change of its ring
/// waits for that; one that knows nothing, or is on a ring of its own, is told all of it once more.
std::vector<RouterAnswer> SocketRouters::activate(const BoundRings& rings,
                                                  std::chrono::milliseconds limit, bool held,
                                                  const std::function<void()>& confirm) {
  const Json asked{{"vnodes", plan_.vnodes.to_text()}, {"pnode", plan_.to.pnode}};
  auto answers = tell("activate", {{"lease", holder_}, {"expectDigest", rings.after}}, limit);
  std::vector<RouterAnswer> missing;
  for (RouterAnswer& answer : answers) {
    if (answer.ok) continue;
    if (answer.answered) {
      if (ownership_from(ask_router(answer.router, "ownership", asked, limit)).all) continue;
      const RouterAnswer prepared =
          ask_router(answer.router, "prepare", prepare_arguments(), kPrepareLimit);
      // Its writes would be refused by the target's guard.
      if (prepared.ok) confirm();
      if (prepared.ok && held)
        ask_router(answer.router, "block",
                   {{"vnodes", plan_.vnodes.to_text()}, {"mode", "hold"}, {"lease", holder_}},
                   limit);
      if (prepared.ok && ask_router(answer.router, "activate", {{"lease", holder_}}, limit).ok)
        continue;
      if (!prepared.ok) answer.message = prepared.message;
    }
    missing.push_back(answer);
  }
  return missing;
}

/// One that does not answer has no writes that wait, or refuses them by itself when its lease has
/// run out.
Released SocketRouters::unblock(bool, std::chrono::milliseconds limit) {
  Released released;
  for (const RouterAnswer& each : tell("unblock", {{"vnodes", plan_.vnodes.to_text()}}, limit))
    if (!each.ok)
      released.problems.push_back("router " + each.router + ", unblock: " + each.message);
  return released;
}

Released SocketRouters::abandon(std::chrono::milliseconds limit) {
  Released released;
  for (const RouterAnswer& each : tell("abandon", {{"lease", holder_}}, limit)) {
    released.unheard = released.unheard || !each.answered;
    if (!each.ok && each.answered && each.code != "not_holder" && each.code != "nothing_prepared")
      released.problems.push_back("router " + each.router + ", abandon: " + each.message);
  }
  return released;
}

}  // namespace reshard
