#include "cluster/mpi.hpp"

#include <mpi.h>

#include <array>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <list>
#include <numeric>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/log.hpp"

namespace pantile::mpi {
namespace {

/// The one place where MPI's return codes end.
template <class What = Error>
void check(int code, std::string_view doing) {
  if (code == MPI_SUCCESS) {
    return;
  }
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw What{"MPI: " + std::string{doing} + ": " + std::string{text.data(), static_cast<std::size_t>(length)}};
}

constexpr int message_tag = 17;

class MpiTransport final : public Transport {
 public:
  MpiTransport() {
    // A communicator of our own: nobody else's messages, and errors come back as codes.
    check(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "duplicating the world communicator");
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "setting the error handler");
    check(MPI_Comm_rank(comm_, &rank_), "asking for the rank");
    check(MPI_Comm_size(comm_, &size_), "asking for the size");
  }
  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;
  ~MpiTransport() override {
    for (Outgoing& message : outgoing_) {
      MPI_Cancel(&message.request);
      MPI_Request_free(&message.request);
    }
    MPI_Comm_free(&comm_);
  }

  [[nodiscard]] RankId self() const noexcept override { return RankId{rank_}; }
  [[nodiscard]] int size() const noexcept override { return size_; }

  void send(RankId to, Bytes payload) override {
    expect(payload.size() <= INT_MAX, "a message is smaller than 2 GiB");
    expect(index(to) >= 0 && index(to) < size_, "a message goes to a rank that exists");
    Outgoing& message = outgoing_.emplace_back(Outgoing{std::move(payload), MPI_REQUEST_NULL});
    check<PeerLost>(MPI_Isend(message.payload.data(), static_cast<int>(message.payload.size()), MPI_BYTE, index(to),
                              message_tag, comm_, &message.request),
                    "sending a message");
  }

  [[nodiscard]] std::optional<Envelope> poll() override {
    progress();
    int arrived = 0;
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status{};
    check<PeerLost>(MPI_Improbe(MPI_ANY_SOURCE, message_tag, comm_, &arrived, &message, &status),
                    "looking for a message");
    if (arrived == 0) {
      return std::nullopt;
    }
    int count = 0;
    check(MPI_Get_count(&status, MPI_BYTE, &count), "asking for a message's size");
    Envelope envelope{RankId{status.MPI_SOURCE}, Bytes(static_cast<std::size_t>(count))};
    check<PeerLost>(MPI_Mrecv(envelope.payload.data(), count, MPI_BYTE, &message, MPI_STATUS_IGNORE),
                    "receiving a message");
    return envelope;
  }

  [[nodiscard]] bool flushed() override {
    progress();
    return outgoing_.empty();
  }

 private:
  struct Outgoing {
    Bytes payload;  ///< must stay where it is until the request is complete
    MPI_Request request;
  };

  void progress() {
    for (auto message = outgoing_.begin(); message != outgoing_.end();) {
      int done = 0;
      check<PeerLost>(MPI_Test(&message->request, &done, MPI_STATUS_IGNORE), "finishing a send");
      message = done != 0 ? outgoing_.erase(message) : std::next(message);
    }
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::list<Outgoing> outgoing_;
};

/// To be freed by the caller.
MPI_Comm ranks_of_this_node() {
  MPI_Comm node = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node), "finding the node's ranks");
  return node;
}

}  // namespace

bool launched_as_rank() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

Environment::Environment() {
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "starting MPI");
  if (provided < MPI_THREAD_FUNNELED) {
    throw Error{
        "this MPI library gives no thread support (MPI_THREAD_FUNNELED is needed, since decode and compute run in "
        "threads). Use an Open MPI built with threads, as distributions ship it."};
  }
  check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "asking for the rank");
  check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "asking for the size");
  MPI_Comm node = ranks_of_this_node();
  check(MPI_Comm_rank(node, &local_rank_), "asking for the local rank");
  check(MPI_Comm_size(node, &local_size_), "asking for the local size");
  int lowest = rank_;
  check(MPI_Allreduce(&rank_, &lowest, 1, MPI_INT, MPI_MIN, node), "finding the coordinator's node");
  coordinator_here_ = lowest == 0;
  check(MPI_Comm_free(&node), "freeing the node's communicator");
}

Environment::~Environment() {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds patience{30};
  const Clock::time_point deadline = Clock::now() + patience;
  MPI_Request all_leave = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &all_leave);
  int done = 0;
  while (MPI_Test(&all_leave, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0) {
    if (rank_ == 0 && Clock::now() >= deadline) {
      log::warn("a rank does not answer at the end of the run, and is ended");
      MPI_Abort(MPI_COMM_WORLD, code_);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  MPI_Finalize();
}

void Environment::abort() const {
  constexpr int killed = 137;
  MPI_Abort(MPI_COMM_WORLD, killed);
  std::_Exit(killed);
}

std::vector<Bytes> Environment::exchange_on_node(const Bytes& own) const {
  MPI_Comm node = ranks_of_this_node();
  const auto ranks = static_cast<std::size_t>(local_size_);
  int bytes = static_cast<int>(own.size());
  std::vector<int> sizes(ranks);
  check(MPI_Allgather(&bytes, 1, MPI_INT, sizes.data(), 1, MPI_INT, node), "asking the node's ranks");
  std::vector<int> begins(ranks);
  std::exclusive_scan(sizes.begin(), sizes.end(), begins.begin(), 0);
  Bytes all(static_cast<std::size_t>(begins.back() + sizes.back()));
  check(MPI_Allgatherv(own.data(), bytes, MPI_BYTE, all.data(), sizes.data(), begins.data(), MPI_BYTE, node),
        "asking the node's ranks");
  check(MPI_Comm_free(&node), "freeing the node's communicator");
  std::vector<Bytes> told;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    told.emplace_back(all.begin() + begins[rank], all.begin() + begins[rank] + sizes[rank]);
  }
  return told;
}

std::string Environment::version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string whole{text.data(), static_cast<std::size_t>(length)};
  return whole.substr(0, whole.find(','));
}

std::unique_ptr<Transport> Environment::transport() { return std::make_unique<MpiTransport>(); }

}  // namespace pantile::mpi
