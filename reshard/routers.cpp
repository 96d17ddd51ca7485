#include "reshard/routers.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>

#include <nlohmann/json.hpp>

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

Json prepare_arguments(const Plan& plan) {
  return {{"vnodes", plan.vnodes.to_text()},
          {"pnode", plan.to.pnode},
          {"baseDigest", plan.base_digest},
          {"expectDigest", plan.digest},
          {"plan", plan.name()},
          {"holder", plan.token},
          {"from", plan.from.pnode},
          {"leaseMs", plan.options.lease_ms}};
}

void require(const std::vector<RouterAnswer>& answers, const char* what) {
  for (const RouterAnswer& answer : answers)
    if (!answer.ok)
      throw ActFailed("router " + answer.router + ", " + what + ": " + answer.message);
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
  const Json line = Json::parse(text, nullptr, false);
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

std::vector<RouterAnswer> Routers::tell(const std::string& command, const Json& arguments,
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

void Routers::prepare(std::chrono::milliseconds limit) const {
  require(tell("prepare", prepare_arguments(plan_), limit), "prepare");
}

void Routers::block(std::chrono::milliseconds limit) const {
  const Json arguments{{"vnodes", plan_.vnodes.to_text()},
                       {"mode", "hold"},
                       {"wait", true},
                       {"timeoutMs", limit.count()},
                       {"lease", plan_.token}};
  const auto answers = tell("block", arguments, limit + std::chrono::milliseconds(1'000));
  require(answers, "block");
  for (const RouterAnswer& answer : answers)
    if (!Json::parse(answer.result).value("drained", false))
      throw ActFailed("router " + answer.router + ", block: an earlier write is unanswered after " +
                      std::to_string(limit.count()) + " ms");
}

/// One that was started anew in between knows of nothing: it is told all of it once more.
std::vector<RouterAnswer> Routers::activate(std::chrono::milliseconds limit) const {
  auto answers = tell("activate", {{"lease", plan_.token}, {"expectDigest", plan_.digest}}, limit);
  std::vector<RouterAnswer> missing;
  for (RouterAnswer& answer : answers) {
    if (answer.ok) continue;
    if (answer.answered) {
      const RouterAnswer status = ask_router(answer.router, "status", Json::object(), limit);
      if (status.ok && Json::parse(status.result).at("ring").value("digest", "") == plan_.digest)
        continue;
      const RouterAnswer prepared =
          ask_router(answer.router, "prepare", prepare_arguments(plan_), kPrepareLimit);
      // Its writes would be refused by the target's guard.
      if (prepared.ok)
        ask_router(answer.router, "block",
                   {{"vnodes", plan_.vnodes.to_text()}, {"mode", "hold"}, {"lease", plan_.token}},
                   limit);
      if (prepared.ok && ask_router(answer.router, "activate",
                                    {{"lease", plan_.token}, {"expectDigest", plan_.digest}}, limit)
                             .ok)
        continue;
      if (!prepared.ok) answer.message = prepared.message;
    }
    missing.push_back(answer);
  }
  return missing;
}

}  // namespace reshard
