// listen: a connection of its own for as long as it lasts; unlisten.
#include <optional>

#include "backends/postgres/operations/listeners.hpp"
#include "backends/postgres/operations/operations.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

/// What a listener waits for. Its coroutine goes on as soon as `tell` is called.
class Event {
 public:
  enum class Kind : std::uint8_t { changed, stopped, given_up };

  bool await_ready() const noexcept { return told_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { waiting_ = waiting; }
  Kind await_resume() { return *std::exchange(told_, std::nullopt); }

  /// May end the coroutine, and with it this object. The first of two that nobody has heard counts,
  /// but for a change of the connection's state.
  void tell(Kind kind) {
    if (!told_ || *told_ == Kind::changed) told_ = kind;
    if (const auto waiting = std::exchange(waiting_, nullptr)) waiting.resume();
  }

 private:
  std::optional<Kind> told_;
  std::coroutine_handle<> waiting_;
};

/// As it is written: channels are told apart by case. A channel is a name, so it holds no zero
/// byte.
Statement listen_statement(const std::string& channel) {
  std::string quoted = "LISTEN \"";
  for (const char c : channel) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return once(quoted + "\"");
}

std::string id_of(const JsValue& options) {
  const JsValue* id = options.get("req_id");
  return id == nullptr || id->string() == nullptr ? "" : *id->string();
}

objects::Error no_peers() {
  objects::Error error;
  error.name = "NoDatabasePeersError";
  error.message = "no database backends are available";
  return error;
}

void fail_without_peers() { throw RpcError{no_peers()}; }

std::string notification(const std::string& channel, const std::string& payload) {
  JsObject value;
  value.set("channel", channel);
  value.set("payload", payload);
  return objects::stringify(value);
}

/// Ends by `stopped`; throws where the database goes away or the shard is given up.
Task<bool> wait_for_end(Event& event, Connection& connection) {
  for (;;) {
    const Event::Kind kind = co_await event;
    if (kind == Event::Kind::stopped) co_return true;
    if (kind == Event::Kind::given_up)
      throw StatementFailed{QueryError{"", "the shard is used no more", ""}};
    if (connection.state() == Connection::State::closed)
      throw StatementFailed{QueryError{"", connection.problem(), ""}};
  }
}

/// Counts listeners while it lives.
class Place {
 public:
  explicit Place(std::size_t& taken) : taken_(taken) { ++taken_; }
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::size_t& taken_;
};

}  // namespace

Values listen(Work& work, const JsArray& arguments) {
  const std::string& channel = *arguments[0].string();
  if (channel.find('\0') != std::string::npos)
    throw RpcError{objects::errors::database("a channel's name holds no zero byte")};
  if (work.pool.listening() >= work.pool.options().listeners_max)
    throw TooMany{"too many listeners"};
  const Place place(work.pool.listening());
  Event event;
  Connection connection(work.pool.loop(), work.pool.connection_options(Connection::Mode::single),
                        work.pool.counted(), [&event] { event.tell(Event::Kind::changed); });
  *work.stop = [&event] { event.tell(Event::Kind::given_up); };
  while (connection.state() == Connection::State::connecting) {
    const Event::Kind kind = co_await event;
    if (kind == Event::Kind::given_up) fail_without_peers();
  }
  if (connection.state() != Connection::State::up) fail_without_peers();
  connection.on_notification([&work](const std::string& from, const std::string& payload) {
    return work.emit(notification(from, payload));
  });
  std::optional<Listeners::Entry> entry;
  if (const std::string id = id_of(arguments[1]); !id.empty())
    entry.emplace(*work.listeners, id, work.pool.loop(),
                  [&event] { event.tell(Event::Kind::stopped); });
  *work.streaming = &connection;
  rows_of(co_await connection.run(listen_statement(channel), Parameters()));
  co_await wait_for_end(event, connection);
  co_return JsArray();
}

Values unlisten(Work& work, const JsArray& arguments) {
  work.listeners->stop(*arguments[0].string(), work.pool.loop());
  co_return JsArray();
}

}  // namespace backends::postgres
