from memio.client import Memio


async def get_health(memio: Memio) -> dict:
    return {"stores": list(memio.stores)}
